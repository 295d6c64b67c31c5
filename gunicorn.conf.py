"""How gunicorn runs the app; it reads this file by itself. Each line says why."""

import os
from pathlib import Path

from gunicorn.arbiter import Arbiter

# The host says which port; a router in front of the app may come from any address.
bind = f"0.0.0.0:{os.environ.get('PORT', '3000')}"

# A client that is slow to send or to read costs a connection and not a thread. It speaks no TLS and
# calls no pre_request and post_request hooks; gunicorn's own gthread does (--worker-class gthread).
worker_class = "clever_login.server.worker.Worker"

# A login waits for Clever: threads let a worker answer others meanwhile. They are started when they
# are needed, and a class that logs in at the same moment needs as many as it has children.
threads = 80

# The host may say how many (Heroku does, by size of the dyno). Two share nothing but the store.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))

# Longer than the 90 s for which routers keep a connection: whoever closes first must be the
# router, or a request is lost in between.
keepalive = 100

# When a worker has more, it closes the one on which nothing has happened for the longest time. Each
# can hold a header of 32 KiB and a body of 64 KiB in memory, and is one open file of 1024.
worker_connections = 500

# A worker that says nothing for this long is replaced; routers give up at the same time.
timeout = 30

# On TERM, requests in flight may finish; a login takes 10 s at the most.
graceful_timeout = 25

# A worker beats its heart by touching a file: in memory, where there is such a place.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 # gunicorn's own advice

# Heroku turns access logs on by GUNICORN_CMD_ARGS. This class keeps the query, which holds the code
# and the state, out of any format, and escapes what a visitor could forge lines with. The time is
# from the last byte of a request to the last of its answer.
logger_class = "clever_login.server.access_log.Logger"
access_log_format = "%(t)s %(m)s %(U)s %(s)s %(M)sms"

# Two gunicorns of one user would share a single control socket, and nothing here needs it.
control_socket_disable = True


def on_starting(_server: Arbiter) -> None:
    """Check the settings once, before there are workers that would each complain."""
    from clever_login.config import (
        load_settings_or_exit,  # gunicorn has put this folder on the path now
    )

    load_settings_or_exit()
