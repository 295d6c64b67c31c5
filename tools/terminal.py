"""Output of the commands, and how they exit on an error."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

from tools.signals import StoppedBySignal, stop_signals


class SetupError(Exception):
    """An error for the person who ran the command: what is wrong, and what to do."""


def say(text: str = "", end: str = "\n") -> None:
    """Prints and flushes. A closed terminal must not stop the cleanup."""
    with contextlib.suppress(OSError):
        print(text, end=end, flush=True)


def run(main: Callable[[], int], help_text: str | None = None) -> None:
    """Runs a command and exits. A SetupError or signal becomes a message and an exit code.

    With `help_text`, the option --help prints this text instead.
    """
    if help_text and sys.argv[1:2] in (["-h"], ["--help"]):
        say(help_text.strip())
        sys.exit(0)
    try:
        _open_standard_input()
        stop_signals.install()
        sys.exit(main())
    except SetupError as error:
        with contextlib.suppress(OSError):
            print(error, file=sys.stderr, flush=True)
        sys.exit(1)
    except StoppedBySignal as stopped:
        say("\nStopped.")
        sys.exit(128 + stopped.number)


def _open_standard_input() -> None:
    try:
        os.fstat(0)
    except OSError:  # closed by the caller: the next file opened would become standard input
        os.open(os.devnull, os.O_RDONLY)


class Progress:
    """A counter of packages: one updated line on a terminal, plain lines elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._count = 0
        self._terminal = sys.stdout.isatty()

    def step(self, name: str) -> None:
        """Counts one package."""
        self._count = min(self._count + 1, self._total)
        self.show(name)

    def show(self, line_text: str) -> None:
        """Shows the current activity, without counting."""
        text = f"  {self._count:>3}/{self._total}  {line_text}"
        if self._terminal:
            say(f"\r\033[K{text[:78]}", end="")
        else:
            say(text)

    def close(self) -> None:
        """Clears the terminal's line."""
        if self._terminal:
            say("\r\033[K", end="")
