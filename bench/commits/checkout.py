"""A commit of this repository in a folder of its own, with the packages that it asks for."""

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
    """A commit or its packages cannot be had; the message says why."""


@dataclass(frozen=True)
class Checkout:
    """One commit, ready to run."""

    commit: str  # as git abbreviates it
    subject: str
    folder: Path
    programs: Path  # the folder of its Python, gunicorn and flask

    def process(self, kind: str) -> str:
        """The command of one line of its Procfile, such as `web`."""
        for line in (self.folder / "Procfile").read_text().splitlines():
            name, found, command = line.partition(":")
            if found and name.strip() == kind:
                return command.strip()
        raise CannotCheckOut(f"The Procfile of {self.commit} has no line for {kind}.")


def check_out(folder: Path, revisions: Iterable[str]) -> list[Checkout]:
    """The old and the new revision; equal requirements share one environment."""
    found = []
    for name, revision in zip(("old", "new"), revisions, strict=True):
        commit = _git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        here = folder / f"{name}-{commit[:8]}"
        with tarfile.open(fileobj=io.BytesIO(_archive(commit))) as archive:
            archive.extractall(here, filter="data")
        found.append((commit, here))
    wanted = [(here / REQUIREMENTS).read_bytes() for _, here in found]
    # The environment of the tests has these packages, too, and costs no time to make.
    shared = {(ROOT / REQUIREMENTS).read_bytes()} == set(wanted)
    return [
        Checkout(
            _git("rev-parse", "--short", commit),
            _git("log", "-1", "--format=%s", commit),
            here,
            Path(sys.executable).parent if shared else _environment(folder, here),
        )
        for commit, here in found
    ]


def uncommitted() -> bool:
    """Whether the working tree has changes that no commit has."""
    return bool(_git("status", "--porcelain"))


def _environment(folder: Path, checkout: Path) -> Path:
    """The programs of a virtual environment with a commit's requirements, made if need be."""
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


def _git(*words: str) -> str:
    return _run(["git", *words]).strip()


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise CannotCheckOut(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
