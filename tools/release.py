"""Builds the packages of a release so that anyone can build the same bytes from the same commit."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from tools.python_version import clean_environment
from tools.terminal import SetupError

SUMS = "SHA256SUMS"


def export(repository: Path, commit: str, folder: Path) -> str:
    """Writes the files of a commit to a folder, without local changes. Returns its time.

    The time is in seconds since 1970, as SOURCE_DATE_EPOCH has it.
    """
    archive = _git(repository, "archive", "--format=tar", commit)
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(str(folder), filter="data")
    return _git(repository, "log", "-1", "--format=%ct", commit).decode("ascii").strip()


def build(python: str, source: Path, target: Path, time: str) -> Path:
    """Builds the wheel and the sdist. `python` has hatchling. Returns the path of the wheel.

    Every date in them is `time`. Raises SetupError.
    """
    command = [python, "-m", "hatchling", "build", "-d", str(target), "-t", "sdist", "-t", "wheel"]
    environment = {**clean_environment(), "SOURCE_DATE_EPOCH": time}
    ended = subprocess.run(command, cwd=str(source), env=environment, check=False)
    if ended.returncode:
        raise SetupError("hatchling could not build the package. See its output above.")
    (wheel,) = target.glob("*.whl")
    return wheel


def write_sums(folder: Path) -> None:
    """Writes the hashes of all files of the folder, in the format of `sha256sum --check`."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _git(repository: Path, *arguments: str) -> bytes:
    command = ["git", "-C", os.fspath(repository), *arguments]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        raise SetupError(f"git {arguments[0]} failed. bin/release needs a clone with its commits.")
    return ended.stdout
