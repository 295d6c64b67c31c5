"""Tests that an interrupted `bin/test --long` stops the tests of "make it yours"."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import running_app

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]
# What bin/test does for the step, without the steps before it.
STEP = """
import sys
from pathlib import Path
from tools.gate import run_module
from tools.terminal import run

arguments = ("tests.make_it_yours", "rename-the-product")
run(lambda: run_module(Path(sys.executable), arguments))
"""


def processes_in(folder: Path) -> dict[int, str]:
    """Return the processes whose current folder is in this folder: their commands by id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if (process / "cwd").readlink().is_relative_to(folder):
                found[int(process.name)] = (process / "cmdline").read_text()
    return found


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="SIGINT"),
        pytest.param(signal.SIGTERM, id="SIGTERM", marks=pytest.mark.long),
    ],
)
def test_a_signal_to_bin_test_stops_the_tests_of_a_changed_copy(
    tmp_path: Path, number: signal.Signals
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    command = [sys.executable, "-c", STEP]
    with running_app.run_process(command, {"TMPDIR": str(copies)}, tmp_path / "log") as child:
        try:
            wait_until(lambda: any("mypy" in words for words in processes_in(copies).values()))
            child.send_signal(number)
            assert child.wait(60) == 128 + number
            assert not processes_in(copies)
            assert not list(copies.glob("tmp*"))  # pytest's own folder may stay
        finally:
            for process in processes_in(copies):
                os.kill(process, signal.SIGKILL)
