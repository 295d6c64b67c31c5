"""A stand-in for Clever that responds immediately over TLS and counts requests."""

from __future__ import annotations

import argparse
import asyncio
import random
import ssl
from collections import Counter
from typing import Any, cast

from bench.fake_clever.responses import FakeResponses, encode_response
from bench.harness.subprocesses import Json, serve_commands

SLOW_SECONDS = 5.0
COUNTER_NAMES = ("handshakes", "resumed", "requests")


class FakeClever:
    """The state of all connections: the responses, the counts, and the faults."""

    def __init__(self, responses: FakeResponses) -> None:
        self.answers = responses
        self.counts = Counter(dict.fromkeys(COUNTER_NAMES, 0))
        self.by_path: Counter[str] = Counter()
        # The shares of responses that are "slow", an "error" or a "reset".
        self.shares: dict[str, float] = {}
        self._random = random.Random(7)  # noqa: S311 # the same faults each time

    def fault(self) -> str:
        """Returns the fault of the next response, usually none."""
        drawn = self._random.random()
        for kind, share in self.shares.items():
            if drawn < share:
                return kind
            drawn -= share
        return ""

    def obey(self, command: Json) -> Json:
        """Applies a command. Returns the counts since the last `reset`."""
        self.shares = command.get("shares", self.shares)
        self.answers.districts = command.get("districts", self.answers.districts)
        self.answers.schools = command.get("schools", self.answers.schools)
        repeated = sum(1 for times in self.answers.codes.values() if times > 1)
        figures = {**self.counts, "by_path": dict(self.by_path), "codes_exchanged_again": repeated}
        if command.get("reset"):
            self.counts = Counter(dict.fromkeys(COUNTER_NAMES, 0))
            self.by_path.clear()
            self.answers.codes.clear()
        return figures


class Connection(asyncio.Protocol):
    """One connection. Requests arrive one at a time, as those of HTTP/1.1 clients do."""

    def __init__(self, clever: FakeClever) -> None:
        self._clever, self._buffer = clever, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Counts the connection. With TLS, this runs after the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        self._clever.counts["handshakes"] += 1
        self._clever.counts["resumed"] += transport.get_extra_info("ssl_object").session_reused

    def data_received(self, data: bytes) -> None:
        """Responds to a request once it is complete."""
        self._buffer += data
        head, separator, remaining = self._buffer.partition(b"\r\n\r\n")
        length = _content_length(head)
        if not separator or len(remaining) < length:
            return
        self._buffer = remaining[length:]
        self._answer(head.decode("latin-1"), remaining[:length].decode())

    def _answer(self, head: str, body: str) -> None:
        clever = self._clever
        line, _, headers = head.partition("\r\n")
        method, target, _ = line.split(" ")
        path = target.partition("?")[0]
        clever.counts["requests"] += 1
        clever.by_path[_path_kind(path)] += 1
        fault = clever.fault()
        if fault == "reset":
            self._transport.abort()
            return
        status, answer_body = clever.answers.to(method, target, headers, body)
        if fault == "error":
            status, answer_body = 502, {}
        response = encode_response(status, answer_body)
        if fault == "slow":
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._transport.write, response)
        else:
            self._transport.write(response)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


def _path_kind(path: str) -> str:
    """Returns a path without its ID."""
    parts = path.split("/")
    return "/".join(parts[:-1]) if len(parts[-1]) == 24 else path


async def main(options: Any) -> None:
    """Listens until standard input is closed."""
    clever = FakeClever(FakeResponses(options.issuer))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(clever), "127.0.0.1", options.port, ssl=context, backlog=1024
    )
    await serve_commands(clever.obey)
    server.close()  # does not wait for clients that keep their connections open


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--certificate", "--key", "--issuer"):
        parser.add_argument(name, required=True)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(main(parser.parse_args()))
