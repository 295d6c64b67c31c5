"""Runs the programs of a throwaway environment, in the project's folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from _environment import ROOT
from _python import clean_environment
from _terminal import SetupError


def call(*command: str) -> None:
    """Run a program, whose own message is enough when it fails."""
    try:
        subprocess.run(command, cwd=str(ROOT), env=clean_environment(), check=True)
    except subprocess.CalledProcessError as error:
        raise SetupError(f"{Path(command[0]).name} failed: see its lines above.") from error
