"""Finds a Python that is new enough and goes on under it; this file itself runs on Python 3.8."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.terminal import SetupError

OLDEST = (3, 11)
NAMES = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")
CHECK = f"import sys; print(sys.executable if sys.version_info >= {OLDEST} else '')"
# What the caller's own Python was told must not reach the one of our virtual environments.
FOREIGN = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSAFEPATH",
    "PYTHONOPTIMIZE",
    "PYTHONEXECUTABLE",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
)


def command_name() -> str:
    """The name of the running command, as a person types it in the project's folder."""
    return f"bin/{Path(sys.argv[0]).resolve().name}"


def clean_environment() -> dict[str, str]:
    """The caller's environment without what belongs to another Python."""
    return {key: value for key, value in os.environ.items() if key not in FOREIGN}


def ensure_supported_python() -> None:
    """Return if the running Python is new enough, else start over under one that is."""
    if os.name == "nt":
        raise SetupError(f"Windows runs this in WSL: open WSL and start {command_name()} there.")
    if sys.version_info < OLDEST:
        _start_over(_find())


def _find() -> str:
    for candidate in _candidates():
        executable = _really_runs(candidate)
        if executable:
            return executable
    raise SetupError(
        f"{command_name()} needs Python 3.11 or newer and found only {platform.python_version()}: "
        "install a newer one (from your system's packages or python.org) and run it again."
    )


def _candidates() -> Iterator[str]:
    for name in NAMES:
        for folder in os.get_exec_path():
            path = shutil.which(name, path=folder)
            if path:
                yield path


def _really_runs(candidate: str) -> str:
    """Give the interpreter behind a name, or nothing: a version manager's shim may lead nowhere."""
    try:
        answer = subprocess.run(
            [candidate, "-I", "-c", CHECK],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return os.fsdecode(answer.stdout).strip()


def _start_over(executable: str) -> None:
    script = str(Path(sys.argv[0]).resolve())
    command = [executable, script, *sys.argv[1:]]
    os.execve(executable, command, clean_environment())  # noqa: S606 # this script, no shell
