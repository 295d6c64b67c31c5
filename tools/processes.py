"""Programs that a command starts. Each is stopped together with everything that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

from tools.signals import stop_signals

PATIENCE_S = 5.0


class Child:
    """A program in its own session, whose process group contains everything it starts."""

    def __init__(
        self,
        name: str,
        command: list[str],
        env: Mapping[str, str],
        folder: Path,
        output: int | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        self.name = name
        self._is_gone = False
        self._process = subprocess.Popen(
            command,
            cwd=str(folder),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            universal_newlines=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            pass_fds=pass_fds,
        )

    @property
    def exit_code(self) -> int | None:
        """The program's exit code, or None while it runs."""
        return self._process.poll()

    def lines(self) -> Iterator[str]:
        """Yields the program's output line by line, until it ends."""
        if self._process.stdout is not None:
            for line in self._process.stdout:
                yield line.rstrip()
        self._process.wait()

    def signal(self, number: int) -> None:
        """Sends a signal to the whole process group."""
        if not self.is_gone():
            self._send(number)

    def is_gone(self) -> bool:
        """Whether the program and everything that it started have ended."""
        self._process.poll()  # a zombie would count as running
        # Once gone, always gone: the process ID may then belong to another program.
        self._is_gone = self._is_gone or not self._send(0)
        return self._is_gone

    def _send(self, number: int) -> bool:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS refuses if only zombies are left
            return False
        return True


class Children:
    """The programs of one command. Leaving the block stops them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __iter__(self) -> Iterator[Child]:
        return iter(self._children)

    def start(
        self,
        name: str,
        command: list[str],
        env: Mapping[str, str],
        output: int | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> Child:
        """Starts a program. Signals are held until the program is on the list."""
        with stop_signals.held():
            child = Child(name, command, env, self._folder, output, pass_fds)
            self._children.append(child)
        return child

    def stop(self) -> None:
        """Sends SIGTERM to all of them, and SIGKILL after PATIENCE_S."""
        with stop_signals.held():
            _stop(self._children)

    def stop_one(self, child: Child) -> None:
        """Stops one program and removes it from the list."""
        with stop_signals.held():
            _stop([child])
            self._children.remove(child)


def _stop(children: list[Child]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in children:
            child.signal(number)
        if _wait_until_gone(children):
            return


def _wait_until_gone(children: list[Child]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not all(child.is_gone() for child in children):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
