"""Benchmark processes that take commands and respond as lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.running_app import ROOT

Json = dict[str, Any]


@dataclass(frozen=True)
class ChildProcess:
    """The parent's end."""

    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """The process ID."""
        return self.process.pid

    def ask(self, **command: Any) -> Json:
        """Sends a command and waits for the response."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        response: Json = json.loads(self.process.stdout.readline())
        return response


@contextmanager
def start_child(module: str, *arguments: str) -> Iterator[ChildProcess]:
    """Starts one of our modules. It ends when its standard input is closed."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        started = ChildProcess(process)
        started.ask()
        yield started


async def serve_commands(do: Callable[[Json], Json]) -> None:
    """The child's end: responds to commands until standard input is closed."""
    over = asyncio.get_running_loop().create_future()
    loop, buffer = asyncio.get_running_loop(), bytearray()

    def read() -> None:
        data = os.read(sys.stdin.fileno(), 65536)
        if not data:
            loop.remove_reader(sys.stdin)
            over.set_result(None)
        buffer.extend(data)
        while b"\n" in buffer:
            line, _, remaining = bytes(buffer).partition(b"\n")
            buffer[:] = remaining
            sys.stdout.write(json.dumps(do(json.loads(line))) + "\n")
            sys.stdout.flush()

    loop.add_reader(sys.stdin, read)
    await over
