"""The gunicorn configuration, which gunicorn reads by default. Comments give the reasons."""

import os
from pathlib import Path

from gunicorn.arbiter import Arbiter

# The host sets the port. A router in front of the app can connect from any address.
bind = f"0.0.0.0:{os.environ.get('PORT', '3000')}"

# A client that sends or reads slowly takes a connection and not a thread. This worker supports no
# TLS and no pre_request and post_request hooks; gunicorn's gthread does (--worker-class gthread).
worker_class = "clever_login.server.worker.Worker"

# A login waits for Clever; threads let a worker serve others meanwhile. Threads start on demand. A
# class that logs in at the same moment needs one thread per student.
threads = 80

# The host may set the number (Heroku does, by dyno size). Workers share nothing but the store.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))

# Longer than the 90 s for which routers keep a connection open. The router must close first, or a
# request in between is lost.
keepalive = 100

# Above this limit, a worker closes the connection that has been idle the longest. Each connection
# is one of 1024 open files. All together can use 24 MiB of memory (docs/reliability.md).
worker_connections = 500

# A worker without a heartbeat for this long is replaced. Routers time out after the same time.
timeout = 30

# On SIGTERM, requests in progress can finish. A login takes at most 10 s.
graceful_timeout = 25

# A worker sends its heartbeat by touching a file. gunicorn's docs advise a file in memory.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108

# gunicorn's own workers (--worker-class gthread) let a trusted peer set SCRIPT_NAME and the scheme,
# and answer 500 to a SCRIPT_NAME that does not match the path. Some hosts trust every peer with
# FORWARDED_ALLOW_IPS=*, so any visitor could cause that. Only TRUSTED_PROXIES decides instead.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# Heroku enables access logs with GUNICORN_CMD_ARGS. This class keeps the query, which contains the
# authorization code and the state, out of any format. It also escapes characters that a visitor
# could use to forge log lines. The time is from the last byte of a request to the last byte of its
# response.
logger_class = "clever_login.server.access_log.Logger"
access_log_format = "%(t)s %(m)s %(U)s %(s)s %(M)sms"

# Two gunicorns of one user would share a single control socket, and the app does not need it.
control_socket_disable = True


def on_starting(_server: Arbiter) -> None:
    """Checks the settings once, before each worker would report the same error."""
    from clever_login.config import (
        load_settings_or_exit,  # gunicorn has put this folder on the path now
    )

    load_settings_or_exit()
