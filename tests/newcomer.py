"""A newcomer: the project in a folder where nothing was installed, and bin/dev."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from clever_simulator import roster
from clever_simulator.directory import Directory
from clever_simulator.server import Running
from tests import sites
from tests.sites import ROOT, Site
from tests.visitor import ask

PARTS = (
    ".env.example",
    "pyproject.toml",
    "requirements.txt",
    "bin",
    "clever_login",
    "clever_simulator",
    "static",
    "templates",
    "translations",
)
EFFECT_S = 40  # on a busy machine; an idle one needs one or two


def fresh_copy(parent: Path) -> Path:
    """The project in a folder with a space in its name, and nothing installed."""
    folder = parent / "my school app"
    folder.mkdir()
    for name in [*PARTS, *(path.name for path in ROOT.glob("*.py"))]:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    return folder


def installed_copy(parent: Path) -> Path:
    """The same after bin/dev has installed the packages, which are those of the tests here."""
    folder = fresh_copy(parent)
    environment = folder / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "of_the_tests.pth").write_text(sysconfig.get_path("purelib"))
    digest = hashlib.sha256((folder / "requirements.txt").read_bytes()).hexdigest()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    (environment / "bin" / "flask").symlink_to(Path(sys.executable).parent / "flask")
    (environment / "bin" / "gunicorn").symlink_to(Path(sys.executable).parent / "gunicorn")
    (environment / ".requirements-stamp").write_text(f"{version} {digest}\n")
    return folder


@contextmanager
def bin_dev(copy: Path, **environ: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Start it from another folder; yields it and the file with what it has printed."""
    log = copy.parent / f"{time.monotonic_ns()}.log"
    command = [sys.executable, str(copy / "bin" / "dev")]
    with sites.process(command, environ, log, cwd=Path("/")) as child:
        yield child, log


def greeting(child: subprocess.Popen[bytes], log: Path, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while "Ctrl-C" not in log.read_text():
        assert child.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return log.read_text()


@dataclass
class Dev:
    """A bin/dev that runs in a copy of the project."""

    copy: Path
    url: str
    clever_url: str
    process: subprocess.Popen[bytes]
    log: Path

    def page(self, path: str = "/", **headers: str) -> str:
        return ask(f"{self.url}{path}", headers=headers).text

    def said(self) -> str:
        return self.log.read_text()

    def published(self) -> str:
        """What bin/dev tells other commands, once all that it has started answers."""
        return (self.copy / "instance" / "bin-dev.json").read_text()

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds; bin/dev must go on running meanwhile."""
        deadline = time.monotonic() + EFFECT_S
        while not holds():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()[-3000:]
            time.sleep(0.1)

    @contextmanager
    def edited(self, name: str, old: str, new: str) -> Iterator[None]:
        """The file with this change, which is taken back in the end."""
        path = self.copy / name
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new))
        try:
            yield
        finally:
            path.write_text(before)

    @contextmanager
    def added(self, name: str, text: str) -> Iterator[None]:
        """The project with one more file, which is removed in the end."""
        path = self.copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        try:
            yield
        finally:
            path.unlink()


@dataclass(frozen=True)
class Elsewhere:
    """A simulator in a process of its own: its address, and whom it has."""

    url: str
    people: Directory


@contextmanager
def newcomers_site(copy: Path) -> Iterator[Site]:
    """What bin/dev starts in this copy."""
    app, clever = sites.free_port(), sites.free_port()
    with bin_dev(copy, PORT=str(app), SIMULATOR_PORT=str(clever)) as (child, log):
        greeting(child, log, 300)
        url, clever_url = f"http://localhost:{app}", f"http://127.0.0.1:{clever}"
        remote = cast(Running, Elsewhere(clever_url, roster.directory()))
        yield Site(url, remote, sites.settings_for(url, clever_url, copy))
