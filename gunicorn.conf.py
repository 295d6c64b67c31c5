"""How gunicorn runs the app; it reads this file by itself. Each line says why."""

import os
import socket
import sys
from pathlib import Path

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http.message import Request
from gunicorn.workers.gthread import TConn, ThreadWorker

# The host says which port; a router in front of the app may come from any address.
bind = f"0.0.0.0:{os.environ.get('PORT', '3000')}"


def in_line(sock: socket.socket) -> float:
    """Seconds since the last byte of a request came, for which it has waited to be read.

    Linux knows it, whether the request waited for a thread or, unseen by gunicorn, at the door. It
    is 0 where nobody knows: on other systems, and on a Unix socket.
    """
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 56)
        return int.from_bytes(info[52:56], sys.byteorder) / 1000  # tcpi_last_data_recv
    except (AttributeError, OSError):
        return 0.0


class Worker(ThreadWorker):
    """Gunicorn's own, and two things more.

    It tells the app how long a request has been in line (clever_login/crowd.py turns some away
    then). On TERM it lets in whoever waits at the door, and then shuts it; gunicorn leaves the
    door open without going there, until it hangs up on all who came.
    """

    def handle_request(self, req: Request, conn: TConn) -> bool:
        """Say how long it has been in line, whatever the visitor says of that."""
        from clever_login.crowd import LONG_SECONDS, WAITED  # on the path once the app is there

        said = [(name, value) for name, value in req.headers if name != WAITED.upper()]
        waited = in_line(conn.sock)
        req.headers = [*said, (WAITED.upper(), f"{waited:.3f}")]
        if waited > LONG_SECONDS:
            req.force_close()  # so many come that nobody's connection is kept for later
        return bool(super().handle_request(req, conn))

    def set_accept_enabled(self, enabled: bool) -> None:
        """Go to the door, or stop going there: once stopping, for good."""
        super().set_accept_enabled(enabled)
        if self.alive or enabled:
            return
        doors, self.sockets = self.sockets, []
        for door in doors:
            known = -1
            while known != self.nr_conns:
                known = self.nr_conns
                self.accept(door)  # does nothing when nobody waits
            door.close()


# A login waits for Clever: threads let a worker answer others meanwhile. They are started when they
# are needed, and a class that logs in at the same moment needs as many as it has children.
worker_class = Worker
threads = 80

# The host may say how many (Heroku does, by size of the dyno). Two share nothing but the store.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))

# Each worker has a listening socket of its own. Sharing one leaves a worker idle while clients
# that keep their connections alive hold on to the other.
reuse_port = True

# Longer than the 90 s for which routers keep a connection: whoever closes first must be the
# router, or a request is lost in between.
keepalive = 100

# A worker that says nothing for this long is replaced; routers give up at the same time.
timeout = 30

# On TERM, requests in flight may finish; a login takes 10 s at the most.
graceful_timeout = 25

# A worker beats its heart by touching a file: in memory, where there is such a place.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 # gunicorn's own advice

# Never the query (%(r)s, %(q)s), which holds the code and the state, nor the referrer (%(f)s).
# Heroku turns access logs on by GUNICORN_CMD_ARGS, and this format is what protects the code then.
access_log_format = "%(t)s %(m)s %(U)s %(s)s %(M)sms"


class EscapingLogger(Logger):
    """Gunicorn's own. Its error log escapes what visitors have sent, and leaves out queries."""

    def setup(self, cfg: Config) -> None:
        """Gunicorn calls this at start and when it reads its settings again."""
        from clever_login.printable import PlainText  # on the path once the app is there

        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(PlainText(self.error_fmt, self.datefmt))


logger_class = EscapingLogger

# Two gunicorns of one user would share a single control socket, and nothing here needs it.
control_socket_disable = True


def on_starting(server: Arbiter) -> None:
    """Check the settings once, before there are workers that would each complain."""
    from clever_login.settings import load_or_exit  # gunicorn has put this folder on the path now

    load_or_exit()
    if "GUNICORN_PID" not in os.environ:  # on USR2 the old one is meant to be there still
        for address in server.cfg.address:
            exit_if_taken(address)


def exit_if_taken(address: object) -> None:
    """With reuse_port a second gunicorn would start beside the first, and take its visitors."""
    if not isinstance(address, tuple):
        return  # a Unix socket
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            why = error.strerror or "no such address"
            sys.exit(f"Cannot listen on {address[0]} port {address[1]}: {why}. Set another PORT.")
