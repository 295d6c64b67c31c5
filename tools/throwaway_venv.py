"""Runs programs of a temporary environment, in the project's folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools.python_version import clean_environment
from tools.terminal import SetupError
from tools.venv import ROOT


def call(*command: str) -> None:
    """Runs a program. Raises SetupError if it fails; its own output says why."""
    try:
        subprocess.run(command, cwd=str(ROOT), env=clean_environment(), check=True)
    except subprocess.CalledProcessError as error:
        raise SetupError(f"{Path(command[0]).name} failed. See its output above.") from error
