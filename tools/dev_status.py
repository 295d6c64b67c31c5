"""Tells other commands the ports of the bin/dev that runs in this folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.dev_plan import Plan
from tools.terminal import say

PATIENCE_S = 1.0
WIDTH = 80  # fixed file size, so that a reader never sees part of a new text


@dataclass(frozen=True)
class Ports:
    """The ports of a running bin/dev. Without a simulator, the app uses the real Clever."""

    app: int
    simulator: int | None


class RunningPlan:
    """The file instance/bin-dev.json, which bin/dev keeps locked while it runs.

    The lock ends with the process, however it ends, so an old file is never mistaken for a running
    bin/dev.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def write(self, plan: Plan) -> None:
        """Writes the ports of this plan."""
        if self._descriptor is not None:
            text = json.dumps({"app": plan.port, "simulator": plan.simulator_port})
            os.pwrite(self._descriptor, f"{text:<{WIDTH}}\n".encode(), 0)


@contextmanager
def running_plan(folder: Path) -> Iterator[RunningPlan]:
    """Holds the file's lock during the block. If two bin/dev run in a folder, the first has it."""
    path = _path(folder)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if _lock(descriptor):
            os.ftruncate(descriptor, 0)
            yield RunningPlan(descriptor)
        else:
            say("Another bin/dev is already running in this folder. bin/clever uses that one.")
            yield RunningPlan(None)
    finally:
        os.close(descriptor)


def running_ports(folder: Path) -> Ports | None:
    """Returns the ports of the bin/dev in this folder, or None if none has finished starting."""
    try:
        descriptor = os.open(str(_path(folder)), os.O_RDONLY)
    except OSError:
        return None
    try:
        if _try_to_lock(descriptor):
            return None  # no bin/dev holds it
        ports = json.loads(os.read(descriptor, 1000))
        return Ports(ports["app"], ports["simulator"])
    except ValueError:  # empty, because it is starting
        return None
    finally:
        os.close(descriptor)


def _path(folder: Path) -> Path:
    return folder / "instance" / "bin-dev.json"


def _lock(descriptor: int) -> bool:
    """Takes the lock. Waits up to PATIENCE_S, because a reader holds it for a moment."""
    deadline = time.monotonic() + PATIENCE_S
    while not _try_to_lock(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _try_to_lock(descriptor: int) -> bool:
    import fcntl  # missing on Windows, where this module must still load to report that

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
