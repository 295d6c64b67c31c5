"""Tests that a release has the same bytes on every machine, and only what was committed."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.running_app import ROOT
from tools import release

COMMITTED_AT = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)
FILES = ("pyproject.toml", "README.md", "LICENSE", ".gitignore")
AUTHOR = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
DATES = {f"GIT_{who}_DATE": COMMITTED_AT.isoformat() for who in ("AUTHOR", "COMMITTER")}


def git(folder: Path, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **AUTHOR, **DATES}
    subprocess.run(["git", "-C", folder, *arguments], env=environment, check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the sources of the package, in one commit."""
    folder = tmp_path / "repository"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "clever_login", folder / "clever_login", ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")
    return folder


@pytest.fixture
def another_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another umask, time zone, and SOURCE_DATE_EPOCH."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    before = os.umask(0o077)
    yield
    os.umask(before)


def built(repository: Path, folder: Path) -> dict[str, bytes]:
    """Build the packages of the repository's commit. Returns their contents by name."""
    target = folder / "dist"
    target.mkdir(parents=True)
    time = release.export(repository, "HEAD", folder / "source")
    release.build(sys.executable, folder / "source", target, time)
    release.write_sums(target)
    return {path.name: path.read_bytes() for path in target.iterdir()}


@pytest.mark.servers  # two builds take seconds
def test_a_commit_gives_the_same_bytes_on_another_machine_and_without_local_changes(
    repository: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    first = built(repository, tmp_path / "first")
    (repository / "clever_login" / "mine.py").write_text("not committed")
    (repository / "clever_login" / "errors.py").write_text("not committed")
    request.getfixturevalue("another_machine")
    assert built(repository, tmp_path / "second") == first
    assert {Path(name).suffix for name in first} == {".whl", ".gz", ""}
    (wheel,) = (tmp_path / "first" / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        dates = {entry.date_time for entry in files.infolist()}
    assert dates == {COMMITTED_AT.timetuple()[:6]}
    command = ["sha256sum", "--check", "--strict", "--quiet", release.SUMS]
    subprocess.run(command, cwd=wheel.parent, check=True)


def test_the_tools_that_build_a_release_have_the_versions_of_the_tests() -> None:
    tools = runpy.run_path(str(ROOT / "bin" / "release"))["TOOLS"]
    lister = runpy.run_path(str(ROOT / "bin" / "audit"))["LISTER"]
    text = (ROOT / "tests" / "requirements.txt").read_text()
    pinned = re.findall(r"^([\w.-]+==[\w.]+)", text, re.M)
    assert {*tools} - {lister} <= {*pinned}
    assert lister in tools
