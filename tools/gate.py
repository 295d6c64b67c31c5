"""The steps of bin/test, and which tests each tier runs."""

from __future__ import annotations

import contextlib
import enum
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tools.python_version import clean_environment
from tools.signals import StoppedBySignal, stop_signals
from tools.system_packages import Need
from tools.terminal import say
from tools.venv import ROOT, has_simulator

COVERAGE = (
    "--cov=clever_login",
    "--cov=clever_simulator",
    "--cov-report=term-missing:skip-covered",
)
TWO_AT_A_TIME = ("-n", "2", "--dist", "worksteal")  # neighboring tests in a file share its fixtures
PATIENCE_S = 10
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - pytest makes a private folder in it
NEEDED_BYTES = 1 << 30  # ten times what the tests use
PROJECT_PACKAGES = (
    "bench",
    "clever_login",
    "clever_simulator",
    "docs",
    "examples",
    "tests",
    "tools",
)


class Tier(enum.Enum):
    """The tiers, each with the markers of the tests that it leaves out."""

    QUICK = ("servers", "browser", "long")
    CI = ("long",)
    LONG = ()


@dataclass(frozen=True)
class Step:
    """A named command, run by the Python of the test environment."""

    name: str
    arguments: tuple[str, ...]
    in_memory: bool = False  # its temporary files


def checks() -> list[Step]:
    """Returns the steps before pytest. Tools do not find scripts without a suffix, so name them."""
    scripts = _scripts()
    modules = tuple(str(path.relative_to(ROOT)) for path in sorted((ROOT / "tools").glob("*.py")))
    strict = ("mypy", "--strict", "--scripts-are-modules", *scripts, *modules)
    return [
        Step("ruff check", ("ruff", "check", ".", *scripts)),
        Step("ruff format", ("ruff", "format", "--check", ".", *scripts)),
        Step("mypy", ("mypy", *_typed_without_simulator())),
        *(
            [Step("mypy features", ("mypy", *_without_tests(), *names))]
            if (names := features())
            else []
        ),
        Step("mypy bin", strict),
        Step("import layers", ("tools.import_layers",)),
    ]


def make_it_yours(tier: Tier) -> list[Step]:
    """Returns the step that changes a copy of the project as documented, and tests the copy."""
    if tier is Tier.QUICK:
        return []
    options = ("--today",) if tier is Tier.CI else ()
    return [Step("make it yours", ("tests.make_it_yours", *options))]


def _typed_without_simulator() -> tuple[str, ...]:
    """Returns what mypy checks instead of the files in pyproject.toml if there is no simulator."""
    if has_simulator():
        return ()
    modules = (path.name for path in sorted(ROOT.glob("*.py")) if path.stem.isidentifier())
    return (*modules, "clever_login")


def _without_tests() -> tuple[str, ...]:
    """Returns the option that leaves out the tests of features if there is no simulator."""
    return () if has_simulator() else ("--exclude", "/tests/")


def features() -> tuple[str, ...]:
    """Returns the packages that a product has added beside app.py, such as `reading`."""
    packages = (path.parent.name for path in sorted(ROOT.glob("[a-z]*/__init__.py")))
    return tuple(name for name in packages if name not in PROJECT_PACKAGES)


def _scripts() -> tuple[str, ...]:
    files = (path for path in sorted((ROOT / "bin").iterdir()) if path.is_file())
    return tuple(f"bin/{path.name}" for path in files if not path.suffix)


def tests(tier: Tier, extra: list[str], missing: tuple[Need, ...]) -> Step:
    """Returns the tests of a tier whose needs are met, two at a time. LONG adds coverage."""
    left_out = dict.fromkeys((*tier.value, *(need.marker for need in missing)))
    markers = ("-m", " and ".join(f"not {marker}" for marker in left_out)) if left_out else ()
    coverage = COVERAGE if tier is Tier.LONG else ()
    arguments = ("pytest", *TWO_AT_A_TIME, *coverage, *markers, *extra)
    # The other tiers install packages and run databases in temporary folders, which is too much.
    return Step("pytest", arguments, in_memory=tier is Tier.QUICK)


def run_steps(python: Path, steps: list[Step]) -> list[str]:
    """Runs all steps, even after a failure. Returns the names of the failed steps."""
    failed = []
    for step in steps:
        say(f"\n--- {step.name}")
        started = time.monotonic()
        if run_module(python, step.arguments, step.in_memory):
            failed.append(step.name)
        elif step.name != "pytest":  # pytest's own summary has the time
            say(f"  ok in {time.monotonic() - started:.1f} s")
    return failed


def say_failed(failed: list[str]) -> None:
    """Prints the names of the failed steps, because their output may be far above."""
    if failed:
        say(f"\n  FAILED: {', '.join(failed)}")


def run_module(python: Path, arguments: tuple[str, ...], in_memory: bool = False) -> int:
    """Runs a module on this terminal and returns its exit code.

    With `in_memory`, its temporary files are in memory if this machine has a folder for that.
    """
    variables = _activated(python)
    if in_memory and _has_free_memory():
        variables["TMPDIR"] = str(MEMORY_FOLDER)
    with stop_signals.held():
        command = [str(python), "-m", *arguments]
        process = subprocess.Popen(command, cwd=str(ROOT), env=variables)
    try:
        return process.wait()
    except StoppedBySignal as stopped:
        _stop(process, stopped.number)
        raise


def _activated(python: Path) -> dict[str, str]:
    """Puts the programs of the test environment first, because a Procfile calls them by name."""
    variables = clean_environment()
    path = os.pathsep.join([str(python.parent), variables.get("PATH", os.defpath)])
    return {**variables, "PATH": path}


def _has_free_memory() -> bool:
    """Whether temporary files fit into memory. SQLite waits for a disk at each commit."""
    return MEMORY_FOLDER.is_mount() and shutil.disk_usage(MEMORY_FOLDER).free > NEEDED_BYTES


def _stop(process: subprocess.Popen[bytes], number: int) -> None:
    """Lets pytest clean up what it started. A Ctrl-C in a terminal has reached it already."""
    if number != signal.SIGINT:
        process.send_signal(signal.SIGINT)
    for last_resort in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
            return
        process.send_signal(last_resort)
    process.wait()


def say_what_was_skipped(python: Path, missing: tuple[Need, ...]) -> None:
    """Prints the number and marker of the tests that were left out."""
    for need in missing:
        tests = _how_many(_count(python, need.marker))
        say(f"  Skipped: {tests} marked {need.marker}, because {need.program} is not installed.")
    if missing:
        say(
            "  To run these tests, install the missing programs, or run this command as root "
            "on Debian."
        )


def _how_many(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


def _count(python: Path, marker: str) -> int:
    command = [str(python), "-m", "pytest", "--collect-only", "-qq", "-m", marker]
    result = subprocess.run(
        command,
        cwd=str(ROOT),
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    lines = result.stdout.decode("utf-8", "replace").splitlines()
    # One line per file, such as `tests/test_browser.py: 12`.
    return sum(int(line.rpartition(": ")[2]) for line in lines if line[-1:].isdigit())
