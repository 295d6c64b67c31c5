"""Simulators for tests. A simulator that a test no longer needs is given to the next test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from clever_simulator import create_app
from clever_simulator.config import Config
from clever_simulator.server import HttpServer, RunningSimulator, make_server
from clever_simulator.state import start_over

_PATIENCE_S = 0.2  # for the threads of closed connections to end

_idle: list[HttpServer] = []


@contextmanager
def run_in_background(config: Config | None = None) -> Iterator[RunningSimulator]:
    """Run a simulator with new people, keys, faults and logs.

    To build its app and to stop its server takes 50 ms, so the server is reused. A server that
    still handles a request, such as a delayed one, is not: the request would be logged in the next
    test.
    """
    config = config or Config(apps=())
    server = _idle.pop() if _idle else _start()
    start_over(server.flask_app, config)
    try:
        yield RunningSimulator(server.url, server.flask_app)
    finally:
        if _is_idle_soon(server):
            _idle.append(server)
        else:
            server.shutdown()


def _start() -> HttpServer:
    server = make_server(create_app(Config(apps=())))
    # The thread ends with the process.
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def _is_idle_soon(server: HttpServer) -> bool:
    server.hang_up()
    deadline = time.monotonic() + _PATIENCE_S
    while not server.is_idle:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True
