"""A proxy with a fixed round-trip time.

    python -m bench.harness.latency_proxy PORT UPSTREAM_PORT MILLISECONDS

Every byte is delayed by half of the time in each direction. The first bytes on a new connection
wait for one more round trip, as with TCP's handshake.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from bench.harness.subprocesses import Json, serve_commands


class LatencyProxy:
    """The state of all connections: the delay, the counts, and whether the network is down."""

    def __init__(self, upstream_port: int, seconds: float) -> None:
        self.upstream_port, self.half = upstream_port, seconds / 2
        self.connections = self.most_waiting = 0
        self.cut = False
        self.ends: set[ProxyEnd] = set()
        self.waiting: set[ProxyEnd] = set()  # the app's ends that wait for a response

    def obey(self, command: Json) -> Json:
        """Takes the network down or up. Returns the counts since the last `reset`."""
        self.cut = command.get("cut", self.cut)
        for end in list(self.ends) if self.cut else ():
            end.abort()
        figures = {"connections": self.connections, "most_in_flight": self.most_waiting}
        if command.get("reset"):
            self.connections = self.most_waiting = 0
        return figures

    def end_of_request(self, end: ProxyEnd) -> None:
        """Counts a request in flight."""
        self.waiting.add(end)
        self.most_waiting = max(self.most_waiting, len(self.waiting))


class ProxyEnd(asyncio.Protocol):
    """One end of a connection.

    The other end sends what this end receives half a round trip later.
    """

    def __init__(self, wire: LatencyProxy, other: ProxyEnd | None = None) -> None:
        self._wire, self._other, self._of_app = wire, other, other is None
        self._transport: asyncio.Transport | None = None
        self._heard: deque[bytes] = deque()
        self._open_at = 0.0  # data received earlier waits until then

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Opens the upstream's end for the app's end, which takes TCP's round trip."""
        self._transport = cast(asyncio.Transport, transport)
        self._wire.ends.add(self)
        if self._wire.cut:
            self.abort()
        elif self._of_app:
            self._wire.connections += 1
            loop = asyncio.get_running_loop()
            self._open_at = loop.time() + 2 * self._wire.half
            self._other = other = ProxyEnd(self._wire, self)
            port = self._wire.upstream_port
            task = loop.create_task(loop.create_connection(lambda: other, "127.0.0.1", port))
            task.add_done_callback(lambda finished: self.abort() if finished.exception() else None)

    def data_received(self, data: bytes) -> None:
        """Passes data on, in order."""
        self._heard.append(data)
        if self._of_app:
            self._wire.end_of_request(self)
        self._later(self._pass_on)

    def connection_lost(self, exc: Exception | None) -> None:
        """Closes the other end, after data that is still in transit."""
        del exc
        self._wire.ends.discard(self)
        self._wire.waiting.discard(self)
        self._later(self._hang_up)

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Aborts the connection."""
        if self._transport is not None:
            self._transport.abort()

    def say(self, data: bytes) -> None:
        """Sends what the other end received."""
        assert self._transport is not None
        self._wire.waiting.discard(self)
        self._transport.write(data)

    @property
    def is_open(self) -> bool:
        """Whether there is a connection yet."""
        return self._transport is not None

    def _later(self, action: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_at(max(loop.time(), self._open_at) + self._wire.half, action)

    def _pass_on(self) -> None:
        assert self._other is not None
        if not self._other.is_open:
            asyncio.get_running_loop().call_later(0.001, self._pass_on)
            return
        self._other.say(self._heard.popleft())

    def _hang_up(self) -> None:
        if self._other is not None:
            self._other.close()


async def main(port: int, upstream_port: int, milliseconds: float) -> None:
    """Listens until standard input is closed."""
    wire = LatencyProxy(upstream_port, milliseconds / 1000)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ProxyEnd(wire), "localhost", port, backlog=1024)
    await serve_commands(wire.obey)
    server.close()  # does not wait for clients that keep their connections open


class PreciseSelector(selectors.EpollSelector):
    """A selector with timeouts below a millisecond, like select(), without its 1,024 file limit."""

    def select(self, timeout: float | None = None) -> Any:
        """Waits with select() on the single epoll file descriptor."""
        if timeout is None or timeout > 0:
            select.select([self.fileno()], [], [], timeout)
        return super().select(0)


def make_precise_loop() -> asyncio.AbstractEventLoop:
    """Creates an event loop for short delays."""
    return asyncio.SelectorEventLoop(PreciseSelector())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=make_precise_loop) as runner:
        runner.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
