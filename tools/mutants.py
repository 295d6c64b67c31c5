"""Mutation tests: applies each patch of tests/mutants and runs a named test, which must fail.

Two patches are tested at a time, each in its own copy of the project.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from zlib import crc32

from tools.python_version import clean_environment
from tools.system_packages import Need
from tools.terminal import say
from tools.venv import ROOT

HEAD = re.compile(r"\ABreaks: (?P<promise>.+)\nTest: (?P<test>.+)\n(?P<long>Tier: long\n)?")
FILE = re.compile(r"^(?:Test: |--- a/)([^/\n]+)/", re.MULTILINE)  # its first folder
CHANGED = re.compile(r"^\+\+\+ b/(.+)$", re.MULTILINE)
LEFT_OUT = (".git", ".venv*", "instance", "node_modules", ".*_cache", ".hypothesis")
FAILED = 1  # pytest's exit code for failed tests; other codes mean that none ran
PATIENCE_S = 120
DAYS = 5  # CI runs each patch on one of so many days
AT_A_TIME = 2
_running: set[int] = set()  # the process groups of the tests
_seconds = count(int(time.time()) + 1)
SIGNS = {
    "browser": ("tests/browser/", "/test_browser.py"),
    "servers": ("tests/deployed/", "[deployed", "[postgresql"),
}


@dataclass(frozen=True)
class Break:
    """One patch, what it breaks, and the test that must fail."""

    patch: Path
    promise: str
    test: str
    long: bool  # takes more than 20 s: not in CI

    def needs(self, need: Need) -> bool:
        """Whether its test needs this program."""
        return any(sign in self.test for sign in SIGNS[need.marker])


def all_breaks() -> Iterator[Break]:
    """Yields the patches, except those of a folder that was deleted, such as the example feature.

    Each starts with the lines "Breaks:" (the requirement), "Test:" (the test that must fail), and,
    if the test needs more than 20 seconds to fail, "Tier: long".
    """
    for path in _patches():
        text = path.read_text(encoding="utf-8")
        head = HEAD.match(text)
        if not head:
            raise ValueError(f"{path.name} must begin with the lines Breaks: and Test:")
        if not _deleted_folders(text):
            yield Break(path, head["promise"], head["test"], long=bool(head["long"]))


def _patches() -> list[Path]:
    return sorted((ROOT / "tests" / "mutants").glob("*.patch"))


def _deleted_folders(patch: str) -> set[str]:
    """Returns the folders of the patch and of its test that the product does not have anymore."""
    return {name for name in FILE.findall(patch) if not (ROOT / name).is_dir()}


def _say_skipped() -> None:
    for path in _patches():
        for name in sorted(_deleted_folders(path.read_text(encoding="utf-8"))):
            say(f"  skipped           {path.stem}: the folder {name} was deleted")


def breaks_of(day: date) -> set[str]:
    """Returns the names of the patches that CI runs on this day: each one every third day."""
    names = (mutant.patch.stem for mutant in all_breaks() if not mutant.long)
    return {name for name in names if (crc32(name.encode()) + day.toordinal()) % DAYS == 0}


def unusable_patches() -> list[str]:
    """Returns the names of the patches that do not apply to the code. Takes a few seconds."""
    check = ["git", "apply", "--check", "-C1"]
    return [
        mutant.patch.stem
        for mutant in all_breaks()
        if subprocess.run(
            [*check, str(mutant.patch)], cwd=str(ROOT), check=False, stderr=subprocess.DEVNULL
        ).returncode
    ]


def missing_tests(python: Path) -> list[str]:
    """Returns what pytest says about tests of the patches that do not exist. Takes 10 seconds."""
    tests = {mutant.test for mutant in all_breaks()}
    collected = subprocess.run(
        [str(python), "-m", "pytest", "--collect-only", "-qq", *sorted(tests)],
        cwd=str(ROOT),
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    lines = collected.stdout.decode("utf-8", "replace").splitlines()
    return [line for line in lines if line.startswith("ERROR")]


def run_breaks_of(day: date, python: Path, missing: tuple[Need, ...]) -> bool:
    """Runs the breaks of a day, and checks that all others apply and that their tests exist.

    Returns whether all is well.
    """
    problems = [f"{name}: the patch no longer applies" for name in unusable_patches()]
    problems += missing_tests(python)
    for problem in problems:
        say(f"  FAILED  {problem}")
    return run_broken(python, missing, breaks_of(day)) and not problems


def run_broken(python: Path, missing: tuple[Need, ...], names: Collection[str] = ()) -> bool:
    """Runs the breaks of these names, by default all, and prints a line for each.

    Returns whether all were noticed.
    """
    _say_skipped()
    breaks = [mutant for mutant in all_breaks() if not any(mutant.needs(need) for need in missing)]
    if names:
        breaks = [mutant for mutant in breaks if mutant.patch.stem in names]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_A_TIME) as threads:
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        with ExitStack() as stack:
            for number in range(AT_A_TIME):
                copies.put(stack.enter_context(_copy(Path(folder) / f"copy {number}", python)))
            try:
                noticed = list(threads.map(lambda mutant: _is_noticed(copies, mutant), breaks))
            except BaseException:  # such as a Ctrl-C, which does not reach the other sessions
                threads.shutdown(wait=False, cancel_futures=True)
                for group in list(_running):
                    _signal(group, signal.SIGINT)
                raise
    say(f"  The tests noticed {sum(noticed)} of {len(noticed)} breaks.")
    for mutant in (
        mutant for mutant, was_noticed in zip(breaks, noticed, strict=True) if not was_noticed
    ):
        say(f"  Not noticed: {mutant.patch.name}")
    return all(noticed)


@dataclass(frozen=True)
class Copy:
    """A copy of the project, and a process that runs its tests (tools/warm_pytest.py)."""

    folder: Path
    process: subprocess.Popen[str]

    def test(self, test: str) -> int:
        """Runs a test and returns pytest's exit code."""
        if not self.process.stdin or not self.process.stdout:
            raise ValueError("the process has no pipes")
        self.process.stdin.write(f"{test}\n")
        self.process.stdin.flush()
        group = int(self.process.stdout.readline())
        _running.add(group)
        patience = threading.Timer(PATIENCE_S, _signal, (group, signal.SIGKILL))
        patience.start()
        try:
            code = int(self.process.stdout.readline())
        finally:
            patience.cancel()
            _signal(group, signal.SIGKILL)  # also to processes that a test left running
            _running.discard(group)
        return FAILED if code == -signal.SIGKILL else code  # a test that hangs has noticed


@contextmanager
def _copy(folder: Path, python: Path) -> Iterator[Copy]:
    """Copies the project, with its compiled modules, and starts the process for its tests."""
    shutil.copytree(str(ROOT), str(folder), ignore=shutil.ignore_patterns(*LEFT_OUT))
    process = subprocess.Popen(
        [str(python), str(ROOT / "tools" / "warm_pytest.py")],
        cwd=str(folder),
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    with process:  # closes its standard input, which ends it
        yield Copy(folder, process)


def _is_noticed(copies: queue.SimpleQueue[Copy], mutant: Break) -> bool:
    """Applies a patch to an unused copy, runs its test there, and reverts the patch."""
    copy = copies.get()
    started = time.monotonic()
    try:
        if not _apply(copy.folder, mutant):
            say(f"  FAILED  {mutant.patch.name}: the patch no longer applies")
            return False
        code = copy.test(mutant.test)
        _apply(copy.folder, mutant, "--reverse")
    finally:
        copies.put(copy)
    result = {FAILED: "ok    ", 0: "FAILED"}.get(code, f"FAILED (pytest ended with {code})")
    seconds = time.monotonic() - started
    say(f"  {result}  {seconds:5.1f} s  {mutant.patch.stem} ({mutant.promise})")
    return code == FAILED


def _apply(folder: Path, mutant: Break, *options: str) -> bool:
    """Applies a patch, and gives each changed file another time than before.

    Python compares the time in seconds and the length to tell whether a compiled module is current.
    """
    command = ["git", "apply", "--whitespace=nowarn", "-C1", *options, str(mutant.patch)]
    ended = subprocess.run(command, cwd=str(folder), check=False, stderr=subprocess.DEVNULL)
    second = next(_seconds)
    for name in CHANGED.findall(mutant.patch.read_text(encoding="utf-8")):
        with suppress(FileNotFoundError):  # the patch adds or deletes it
            os.utime(str(folder / name), (second, second))
    return ended.returncode == 0


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
