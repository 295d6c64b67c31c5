"""Serves the app on a port that bin/dev has opened. Runs in the app's own environment.

    dev_server.py FD PORT [--exit-when-broken]

If the app cannot start, every page says why until bin/dev restarts it.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # where app.py is

from flask import Flask
from flask.cli import ScriptInfo
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


REQUEST_S = 2.0  # how long a stopping server waits for a request in progress
CONNECTION_S = 0.2  # the same for a connection without a request, such as browsers' preconnects


class Handler(WSGIRequestHandler):
    """Registers itself at the server while it handles a request."""

    def run_wsgi(self) -> None:
        """Handles one request."""
        with noted(self.server.requests):  # type: ignore[attr-defined] # it is a Server
            super().run_wsgi()


class Server(ThreadedWSGIServer):
    """A server that finishes its responses before it stops."""

    def __init__(self, descriptor: int, port: int, app: WSGIApplication) -> None:
        super().__init__("localhost", port, app, Handler, fd=descriptor)
        self.requests: set[int] = set()
        self._connections: set[int] = set()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handles one connection in its own thread."""
        with noted(self._connections):
            super().process_request_thread(request, client_address)

    def stop_on(self, number: int) -> None:
        """Stops accepting connections on this signal. New ones wait for the next server."""
        signal.signal(number, lambda *_: threading.Thread(target=self.shutdown).start())

    def finish(self) -> None:
        """Waits for requests and connections in progress, up to REQUEST_S and CONNECTION_S."""
        started = time.monotonic()
        waiting = True
        while waiting:
            time.sleep(0.02)  # lets the thread of the last connection start
            passed = time.monotonic() - started
            waiting = (bool(self.requests) and passed < REQUEST_S) or (
                bool(self._connections) and passed < CONNECTION_S
            )


@contextlib.contextmanager
def noted(threads: set[int]) -> Iterator[None]:
    """Keeps this thread's ID in the set while the block runs."""
    threads.add(threading.get_ident())
    try:
        yield
    finally:
        threads.discard(threading.get_ident())


class Copied(io.StringIO):
    """Stores what is written to it, and also writes it to standard error."""

    def __init__(self) -> None:
        super().__init__()
        self._standard_error = sys.stderr

    def write(self, text: str) -> int:
        """Writes to both."""
        self._standard_error.write(text)
        return super().write(text)


def main() -> None:
    """Serves until SIGTERM."""
    descriptor, port, *options = sys.argv[1:]
    signal.signal(signal.SIGTERM, stop)
    os.environ["FLASK_RUN_FROM_CLI"] = "true"  # makes Flask ignore an app.run() in app.py
    output = Copied()
    with contextlib.redirect_stderr(output):
        app = load()
    if app is None and options:
        sys.exit(1)
    wsgi: WSGIApplication = app or because(output.getvalue())
    server = Server(int(descriptor), int(port), wsgi)
    server.stop_on(signal.SIGTERM)
    server.serve_forever(poll_interval=0.05)
    server.finish()


class Stopped(BaseException):
    """SIGTERM arrived while the app was starting."""


def stop(*_: object) -> None:
    """Exits Python cleanly, so that the app's temporary files are removed."""
    raise Stopped


def load() -> Flask | None:
    """Loads the app as `flask run` does. Returns None after an error, shown on standard error."""
    try:
        app = ScriptInfo(app_import_path="app").load_app()
    except SystemExit:  # invalid settings or translations, already reported
        return None
    except Exception:  # noqa: BLE001 # a code change can fix any exception
        traceback.print_exc()
        return None
    app.jinja_env.auto_reload = True
    return app


def because(reason: str) -> WSGIApplication:
    """Returns a WSGI app that shows the developer the reason on every page."""
    text = (
        "The app cannot start. Fix the error below, save the file, and reload this page.\n\n"
        f"{reason}"
    )

    def respond(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
        start_response("500 Internal Server Error", headers)
        return [text.encode()]

    return respond


if __name__ == "__main__":
    with contextlib.suppress(Stopped):
        main()
