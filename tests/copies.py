"""A copy of the app in a folder of its own, started as a process, for what changes its files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import sites
from tests.sites import ROOT

PARTS = ("app.py", "clever_login", "static", "templates", "translations")
NOBODY = "http://127.0.0.1:9"  # no Clever is needed for the pages that nobody is logged in on


def copy_of_the_app(parent: Path) -> Path:
    """What runs, and nothing else."""
    folder = parent / "copy"
    folder.mkdir()
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    return folder


@contextmanager
def started(folder: Path, log: Path) -> Iterator[str]:
    """The address at which the copy answers."""
    port = sites.free_port()
    url = f"http://localhost:{port}"
    environ = sites.environment(sites.settings_for(url, NOBODY, folder / "instance"), port)
    command = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", str(port)]
    with sites.process(command, environ, log, cwd=folder) as child:
        sites.wait_until_answers(f"{url}/healthz", child)
        yield url


def run(folder: Path, log: Path, *module: str) -> tuple[int, str]:
    """The exit code of `python -m ...` in the copy, and what it has printed."""
    settings = sites.settings_for("http://localhost:3000", NOBODY, folder / "instance")
    command = [sys.executable, "-m", *module]
    with sites.process(command, sites.environment(settings, 3000), log, cwd=folder) as child:
        return child.wait(60), log.read_text()
