"""Clients that send requests continuously, and count what a stopping server loses.

A request is lost when all of it was sent on an open connection and no response came. A connection
that is refused, or closed before anything was sent on it, loses nothing: the client can connect
elsewhere.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.raw_http import PATIENCE, Reply, one_reply

Connect = Callable[[], socket.socket]


@dataclass
class Load:
    """The responses and lost requests so far."""

    answered: list[Reply] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)  # reasons
    over: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, responses: int) -> None:
        """Wait for this many further responses."""
        wanted, deadline = len(self.answered) + responses, time.monotonic() + PATIENCE
        while len(self.answered) < wanted:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.01)


@contextmanager
def steady_load(connect: Connect, request: bytes, kinds: dict[str, int]) -> Iterator[Load]:
    """Run clients of each kind: "busy", "new" (a new connection per request), "resting"."""
    load = Load()
    clients = [kind for kind, count in kinds.items() for _ in range(count)]
    threads = [
        threading.Thread(target=_Client(load, connect, request, kind, seed).run, daemon=True)
        for seed, kind in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.over.set()
        for thread in threads:
            thread.join(PATIENCE)


class _Client:
    def __init__(self, load: Load, connect: Connect, request: bytes, kind: str, seed: int) -> None:
        self._load, self._connect, self._request, self._kind = load, connect, request, kind
        self._chance = random.Random(seed)  # noqa: S311 # repeatable on purpose
        self._raw: socket.socket | None = None

    def run(self) -> None:
        """Send requests until the load is over."""
        while not self._load.over.is_set():
            if self._is_connected():
                self._ask()
            else:
                self._load.over.wait(0.05)
            if self._kind == "resting":
                self._load.over.wait(self._chance.uniform(0.1, 3))
        self._close()

    def _is_connected(self) -> bool:
        """Connect if necessary, and return whether the connection seems to be open."""
        if self._raw is not None and self._is_closed_by_server(self._raw):
            self._close()
        try:
            self._raw = self._raw or self._connect()
        except OSError:
            return False
        return True

    def _is_closed_by_server(self, raw: socket.socket) -> bool:
        raw.setblocking(False)
        try:
            return raw.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            raw.settimeout(PATIENCE)

    def _ask(self) -> None:
        assert self._raw
        try:
            self._raw.sendall(self._request)
            reply = one_reply(self._raw)
        except OSError as error:
            self._load.lost.append(f"{self._kind}: {error!r}")
            self._close()
            return
        self._load.answered.append(reply)
        if self._kind == "new" or reply.header("Connection").lower() == "close":
            self._close()

    def _close(self) -> None:
        if self._raw:
            self._raw.close()
        self._raw = None
