"""Checks out a commit of this repository into its own folder and installs its packages."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.support.running_app import ROOT

REQUIREMENTS = "requirements.txt"


class CannotCheckOut(Exception):
    """A commit or its packages are not available. The message says why."""


@dataclass(frozen=True)
class Checkout:
    """One commit, ready to run."""

    commit: str  # git's abbreviation
    subject: str
    folder: Path
    programs: Path  # the folder of its Python, gunicorn and flask

    def process(self, kind: str) -> str:
        """Returns the command of a process in its Procfile, such as `web`.

        Raises CannotCheckOut if there is none.
        """
        for line in (self.folder / "Procfile").read_text().splitlines():
            name, separator, command = line.partition(":")
            if separator and name.strip() == kind:
                return command.strip()
        raise CannotCheckOut(f"The Procfile of {self.commit} has no line for {kind}.")


def check_out(folder: Path, revisions: Iterable[str]) -> list[Checkout]:
    """Checks out the old and the new revision. Equal requirements share one environment."""
    checkouts = []
    for name, revision in zip(("old", "new"), revisions, strict=True):
        commit = _git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        folder_of_commit = folder / f"{name}-{commit[:8]}"
        with tarfile.open(fileobj=io.BytesIO(_archive(commit))) as archive:
            archive.extractall(folder_of_commit, filter="data")
        checkouts.append((commit, folder_of_commit))
    requirements = [
        (folder_of_commit / REQUIREMENTS).read_bytes() for _, folder_of_commit in checkouts
    ]
    # The test environment also has these packages, so using it takes no time.
    shared = {(ROOT / REQUIREMENTS).read_bytes()} == set(requirements)
    return [
        Checkout(
            _git("rev-parse", "--short", commit),
            _git("log", "-1", "--format=%s", commit),
            folder_of_commit,
            Path(sys.executable).parent if shared else _environment(folder, folder_of_commit),
        )
        for commit, folder_of_commit in checkouts
    ]


def uncommitted() -> bool:
    """Whether the working tree has uncommitted changes."""
    return bool(_git("status", "--porcelain"))


def _environment(folder: Path, checkout: Path) -> Path:
    """Returns the programs of a virtual environment for a commit, creating it if necessary."""
    requirements = checkout / REQUIREMENTS
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    environment = folder / f"environment-{digest}"
    programs = environment / "bin"
    if not environment.exists():
        sys.stderr.write(f"Installing the packages of {checkout.name}.\n")
        _run([sys.executable, "-m", "venv", str(environment)])
        options = ["--quiet", "--no-input", "--require-hashes", "-r", str(requirements)]
        _run([str(programs / "python"), "-m", "pip", "install", *options])
    return programs


def _archive(commit: str) -> bytes:
    command = ["git", "archive", "--format=tar", commit]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout


def _git(*arguments: str) -> str:
    return _run(["git", *arguments]).strip()


def _run(command: list[str]) -> str:
    result = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if result.returncode:
        raise CannotCheckOut(f"`{' '.join(command)}` failed: {result.stderr.strip()}")
    return result.stdout
