"""The steps of bin/test: each is run, timed and named in the summary."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from _environment import ROOT
from _python import clean_environment
from _signals import StoppedBySignal, stop_signals
from _system_packages import Need
from _terminal import say

COVERAGE = (
    "--cov=clever_login",
    "--cov=clever_simulator",
    "--cov-report=term-missing:skip-covered",
)
NOT_QUICK = ("servers", "browser", "long")
WORKERS = ("-n", "2")  # some tests wait for seconds: two at a time took 36 s where one took 69 s
PATIENCE_S = 10


@dataclass(frozen=True)
class Step:
    """A named command, run by the Python of the test environment."""

    name: str
    arguments: tuple[str, ...]


def checks() -> list[Step]:
    """The steps before pytest; files without a suffix are found by no tool and so named here."""
    scripts = _scripts()
    modules = tuple(str(path.relative_to(ROOT)) for path in sorted((ROOT / "bin").glob("*.py")))
    strict = ("mypy", "--strict", "--scripts-are-modules", *scripts, *modules)
    return [
        Step("ruff check", ("ruff", "check", ".", *scripts)),
        Step("ruff format", ("ruff", "format", "--check", ".", *scripts)),
        Step("mypy", ("mypy",)),
        Step("mypy bin", strict),
    ]


def _scripts() -> tuple[str, ...]:
    files = (path for path in sorted((ROOT / "bin").iterdir()) if path.is_file())
    return tuple(f"bin/{path.name}" for path in files if not path.suffix)


def quick_tests(extra: list[str]) -> Step:
    """The tests that need nothing but Python."""
    return Step("pytest", ("pytest", *WORKERS, "-m", _without(NOT_QUICK), *extra))


def all_tests(extra: list[str], missing: tuple[Need, ...]) -> Step:
    """Every test whose needs are met, with coverage."""
    chosen = ("-m", _without(tuple(need.marker for need in missing))) if missing else ()
    return Step("pytest", ("pytest", *COVERAGE, *chosen, *extra))


def _without(markers: tuple[str, ...]) -> str:
    return " and ".join(f"not {marker}" for marker in markers)


def run_steps(python: Path, steps: list[Step]) -> bool:
    """Run all steps, whatever the earlier ones said, and whether all went well."""
    results = []
    for step in steps:
        say(f"\n--- {step.name}")
        started = time.monotonic()
        code = run_module(python, step.arguments)
        results.append((step.name, code, time.monotonic() - started))
    say()
    for name, code, seconds in results:
        say(f"  {'ok    ' if code == 0 else 'FAILED'}  {name:<12} {seconds:6.1f} s")
    return all(code == 0 for _, code, _ in results)


def run_module(python: Path, arguments: tuple[str, ...]) -> int:
    """Run a module on our own terminal, and give its exit code."""
    with stop_signals.held():
        command = [str(python), "-m", *arguments]
        process = subprocess.Popen(command, cwd=str(ROOT), env=_activated(python))
    try:
        return process.wait()
    except StoppedBySignal as stopped:
        _stop(process, stopped.number)
        raise


def _activated(python: Path) -> dict[str, str]:
    """The programs of the test environment come first, as a Procfile calls them by name."""
    variables = clean_environment()
    path = os.pathsep.join([str(python.parent), variables.get("PATH", os.defpath)])
    return {**variables, "PATH": path}


def _stop(process: subprocess.Popen[bytes], number: int) -> None:
    """Let pytest put away what it started; a Ctrl-C has reached it already."""
    if number != signal.SIGINT:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def say_what_was_skipped(python: Path, missing: tuple[Need, ...]) -> None:
    """Count and name the tests that were left out."""
    for need in missing:
        tests = _how_many(_count(python, need.marker))
        say(f"  Skipped: {tests} marked {need.marker}, as {need.program} is not here.")
    if missing:
        say("  Install it, or run this as root on Debian, to run them too.")


def _how_many(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


def _count(python: Path, marker: str) -> int:
    command = [str(python), "-m", "pytest", "--collect-only", "-qq", "-m", marker]
    answer = subprocess.run(
        command,
        cwd=str(ROOT),
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    lines = answer.stdout.decode("utf-8", "replace").splitlines()
    # One line for each file, as in `tests/test_browser.py: 12`.
    return sum(int(line.rpartition(": ")[2]) for line in lines if line[-1:].isdigit())
