"""The faults: what fails, how it is caused, and how it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.deployed.faults.servers import PostgresServer, RedisServer, Server
from tests.deployed.faults.system import System

DELAY = 0.15  # seconds of a slow store, for each way of each message
FAULT_SECONDS = 6.0
SILENT_SECONDS = 14.0  # longer than every time limit of a server that does not answer
SERVERS, ONE_SERVER, FILES = "servers", "one server", "files"  # the systems of `systems.py`


@dataclass(frozen=True)
class Fault:
    """One fault. `begin` causes it, and ends it when its block ends."""

    part: str  # what fails
    name: str
    begin: Callable[[System], AbstractContextManager[object]]
    on: str = SERVERS
    seconds: float = FAULT_SECONDS
    is_harmless: bool = False  # whether every request may be answered as usual
    needs_root: bool = False
    loses_requests: bool = False  # whether requests in progress may end without an answer

    def __str__(self) -> str:
        return f"{self.part} {self.name}"


def _redis(
    act: Callable[[RedisServer], AbstractContextManager[object]],
) -> Callable[[System], AbstractContextManager[object]]:
    def begin(system: System) -> AbstractContextManager[object]:
        assert system.redis
        return act(system.redis)

    return begin


def _postgres(
    act: Callable[[PostgresServer], AbstractContextManager[object]],
) -> Callable[[System], AbstractContextManager[object]]:
    def begin(system: System) -> AbstractContextManager[object]:
        assert system.postgres
        return act(system.postgres)

    return begin


@contextmanager
def _clever(system: System, **fault: object) -> Iterator[None]:
    """Make Clever's answers to every login fail."""
    for endpoint in ("token", "me"):
        system.site.clever.add_fault(endpoint, times=0, **fault)
    try:
        yield
    finally:
        system.site.clever.clear_faults()


@contextmanager
def _worker_gets(system: System, number: signal.Signals) -> Iterator[None]:
    """Send a signal to one worker. gunicorn starts another."""
    os.kill(system.workers[0], number)
    yield


def _slow(server: Server) -> AbstractContextManager[None]:
    return server.gate.delayed(DELAY)


def _postgres_faults(part: str, on: str) -> list[Fault]:
    begin = {
        "killed": PostgresServer.killed,
        "stopped": PostgresServer.stopped,
        "full": PostgresServer.full,
        "read-only": PostgresServer.read_only,
        "slow": _slow,
        "refusing connections": lambda postgres: postgres.gate.closed(),
        "without INSERT privilege": PostgresServer.without_inserts,
    }
    return [
        Fault(
            part,
            name,
            _postgres(act),
            on,
            seconds=SILENT_SECONDS if name == "stopped" else FAULT_SECONDS,
            is_harmless=name == "slow",
            needs_root=name == "full",
        )
        for name, act in begin.items()
    ]


FAULTS = [
    Fault("Redis", "killed", _redis(RedisServer.killed)),
    Fault("Redis", "stopped", _redis(RedisServer.stopped), seconds=SILENT_SECONDS),
    Fault("Redis", "full", _redis(RedisServer.full)),
    Fault("Redis", "read-only", _redis(RedisServer.read_only)),
    Fault("Redis", "slow", _redis(_slow), is_harmless=True),
    Fault("Redis", "refusing connections", _redis(lambda redis: redis.gate.closed())),
    Fault("Redis", "without permission to write", _redis(RedisServer.without_inserts)),
    *_postgres_faults("PostgreSQL", SERVERS),
    *_postgres_faults("PostgreSQL with the sessions", ONE_SERVER),
    Fault("Clever", "failing", lambda system: _clever(system, status=500)),
    Fault("Clever", "silent", lambda system: _clever(system, delay_s=20), seconds=SILENT_SECONDS),
    Fault("Clever", "hanging up", lambda system: _clever(system, drop="before")),
    Fault("The disk", "full", System.full_disk, FILES, needs_root=True),
    Fault(
        "A worker",
        "killed with SIGKILL",
        lambda system: _worker_gets(system, signal.SIGKILL),
        is_harmless=True,
        loses_requests=True,
    ),
    Fault(
        "A worker",
        "stopped with SIGTERM",
        lambda system: _worker_gets(system, signal.SIGTERM),
        is_harmless=True,
    ),
]
