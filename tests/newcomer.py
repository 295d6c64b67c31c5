"""A newcomer: the project in a folder where nothing was installed, and bin/dev."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from clever_simulator import roster
from clever_simulator.directory import Directory
from clever_simulator.server import Running
from tests import sites
from tests.sites import ROOT, Site

PARTS = (
    "requirements.txt",
    "bin",
    "clever_login",
    "clever_simulator",
    "static",
    "templates",
    "translations",
)


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
