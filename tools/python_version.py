"""Finds a supported Python and restarts the command with it. This module itself runs on 3.8."""

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
# Settings for the caller's Python, which must not reach the Python of our virtual environments.
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
    """Returns the name of the running command, as typed in the project's folder."""
    return f"bin/{Path(sys.argv[0]).resolve().name}"


def clean_environment() -> dict[str, str]:
    """Returns the caller's environment without the variables of another Python."""
    return {key: value for key, value in os.environ.items() if key not in FOREIGN}


def ensure_supported_python() -> None:
    """Returns if the running Python is supported, else restarts with one that is.

    Raises SetupError if there is none, or on Windows.
    """
    if os.name == "nt":
        raise SetupError(
            f"{command_name()} does not run in Windows itself. Open WSL and run "
            f"{command_name()} there."
        )
    if sys.version_info < OLDEST:
        _start_over(_find())


def _find() -> str:
    for candidate in _candidates():
        executable = _really_runs(candidate)
        if executable:
            return executable
    raise SetupError(
        f"{command_name()} needs Python 3.11 or newer, but found only "
        f"{platform.python_version()}. Install a newer Python (from your system's packages or "
        f"python.org) and run {command_name()} again."
    )


def _candidates() -> Iterator[str]:
    for name in NAMES:
        for folder in os.get_exec_path():
            path = shutil.which(name, path=folder)
            if path:
                yield path


def _really_runs(candidate: str) -> str:
    """Returns the interpreter behind a name, or nothing if it is a broken version manager shim."""
    try:
        result = subprocess.run(
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
    return os.fsdecode(result.stdout).strip()


def _start_over(executable: str) -> None:
    script = str(Path(sys.argv[0]).resolve())
    command = [executable, script, *sys.argv[1:]]
    os.execve(executable, command, clean_environment())  # noqa: S606 # this script, no shell
