"""The running systems, each of which is started when its first fault needs it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

from tests.deployed.faults.system import System, on_files, on_servers
from tests.deployed.faults.table import FILES, ONE_SERVER, SERVERS

START: dict[str, Callable[[Path], AbstractContextManager[System]]] = {
    SERVERS: on_servers,
    ONE_SERVER: partial(on_servers, with_redis=False),
    FILES: on_files,
}


class Systems:
    """Starts systems, which end with `stack`."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        self._running: dict[str, System] = {}

    def get(self, name: str) -> System:
        """Return a running system."""
        if name not in self._running:
            folder = self._folder / name
            folder.mkdir()
            self._running[name] = self._stack.enter_context(START[name](folder))
        return self._running[name]
