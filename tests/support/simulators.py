"""Simulators for tests. The app of a simulator that a test no longer needs serves the next test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from clever_simulator import create_app
from clever_simulator.config import Config
from clever_simulator.server import HttpServer, RunningSimulator, make_server
from clever_simulator.state import start_over

_PATIENCE_S = 0.2  # for the threads of closed connections to end
_POLL_S = 0.005  # a server needs this long to stop

_idle: list[Flask] = []


@contextmanager
def run_in_background(config: Config | None = None) -> Iterator[RunningSimulator]:
    """Run a simulator with new people, keys, faults and logs, on a port of its own.

    To build its app takes 25 ms, so the app is reused, with a new state. An app that still handles
    a request, such as a delayed one, is not: the request would be logged in the next test.
    """
    app = _idle.pop() if _idle else create_app(Config(apps=()))
    start_over(app, config or Config(apps=()))
    server = make_server(app)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), daemon=True)
    thread.start()
    try:
        yield RunningSimulator(server.url, app)
    finally:
        server.shutdown()
        thread.join()
        is_unchanged = "wsgi_app" not in vars(app)  # no test has wrapped it
        if _is_idle_soon(server) and is_unchanged:
            _idle.append(app)


def _is_idle_soon(server: HttpServer) -> bool:
    server.hang_up()
    deadline = time.monotonic() + _PATIENCE_S
    while not server.is_idle:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True
