"""Copies the reference app into another folder and runs it there, for tests that change its files.

`copy_project` makes what a new developer has: the project without installed packages, and bin/dev.
The app in it is the reference app, so that these tests pass whatever your product looks like.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from clever_simulator.directory import sample_districts
from clever_simulator.directory.directory import Directory
from clever_simulator.server import RunningSimulator
from tests.support import reference_app, running_app
from tests.support.browser_client import NAVIGATION_HEADERS, send_request
from tests.support.running_app import ROOT, Site

APP_PARTS = ("app.py", "static", "templates", "translations")
UNUSED_URL = "http://127.0.0.1:9"  # logged-out pages need no Clever


def copy_app(parent: Path) -> Path:
    """Copy only the files the app needs to run, and return the folder."""
    folder = parent / "copy"
    folder.mkdir()
    _copy(ROOT, ("clever_login",), folder)
    _copy(reference_app.FOLDER, APP_PARTS, folder)
    return folder


def _copy(source: Path, names: Iterable[str], target: Path) -> None:
    for name in names:
        path = source / name
        if path.is_dir():
            shutil.copytree(path, target / name)  # with its compiled modules, which saves a second
        else:
            shutil.copy(path, target)


@contextmanager
def run_copied_app(folder: Path, log: Path) -> Iterator[str]:
    """Run the copy and yield its URL."""
    port = running_app.free_port()
    url = f"http://localhost:{port}"
    environ = running_app.environment_variables(
        running_app.settings_for(url, UNUSED_URL, folder / "instance"), port
    )
    command = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", str(port)]
    with running_app.run_process(command, environ, log, cwd=folder) as child:
        running_app.wait_until_answers(f"{url}/healthz", child)
        yield url


def run_module(folder: Path, log: Path, *module: str) -> tuple[int, str]:
    """Run `python -m ...` in the copy, and return its exit code and output."""
    settings = running_app.settings_for("http://localhost:3000", UNUSED_URL, folder / "instance")
    command = [sys.executable, "-m", *module]
    with running_app.run_process(
        command, running_app.environment_variables(settings, 3000), log, cwd=folder
    ) as child:
        return child.wait(60), log.read_text()


PROJECT_PARTS = (
    ".env.example",
    "pyproject.toml",
    "requirements.txt",
    "bin",
    "clever_login",
    "clever_simulator",
    "gunicorn.conf.py",
    "tools",
)
EFFECT_S = 40  # seconds; long enough for a busy machine (an idle one needs one or two)


def copy_project(parent: Path) -> Path:
    """Copy the project to a folder with a space in its name, without installed packages."""
    folder = parent / "my school app"
    folder.mkdir()
    _copy(ROOT, PROJECT_PARTS, folder)
    _copy(reference_app.FOLDER, APP_PARTS, folder)
    return folder


def installed_copy(parent: Path) -> Path:
    """Copy the project in the state after bin/dev has installed packages.

    The packages are those of this test environment.
    """
    folder = copy_project(parent)
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
def run_bin_dev(copy: Path, **environ: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Start bin/dev from another folder. Yields the process and the file with its output."""
    log = copy.parent / f"{time.monotonic_ns()}.log"
    command = [sys.executable, str(copy / "bin" / "dev")]
    with running_app.run_process(command, environ, log, cwd=Path("/")) as child:
        yield child, log


def wait_for_greeting(child: subprocess.Popen[bytes], log: Path, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while "Ctrl-C" not in log.read_text():
        assert child.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return log.read_text()


@dataclass
class Dev:
    """A bin/dev process running in a copy of the project."""

    copy: Path
    url: str
    clever_url: str
    process: subprocess.Popen[bytes]
    log: Path

    def page(self, path: str = "/", **headers: str) -> str:
        return send_request(f"{self.url}{path}", headers=NAVIGATION_HEADERS | headers).text

    def log_text(self) -> str:
        return self.log.read_text()

    def published(self) -> str:
        """Return the file that bin/dev writes for other commands once all its servers answer."""
        return (self.copy / "instance" / "bin-dev.json").read_text()

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds` returns True. Asserts that bin/dev keeps running."""
        deadline = time.monotonic() + EFFECT_S
        while not holds():
            assert self.process.poll() is None, self.log_text()
            assert time.monotonic() < deadline, self.log_text()[-3000:]
            time.sleep(0.1)

    def until_page_contains(self, text: str) -> None:
        """Wait until the first page contains a text."""
        self.until(lambda: text in self.page())

    @contextmanager
    def edited(self, name: str, old: str, new: str) -> Iterator[None]:
        """Apply a change to a file, and undo it on exit."""
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
        """Add a file to the project, and remove it on exit."""
        path = self.copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        try:
            yield
        finally:
            path.unlink()


@dataclass(frozen=True)
class RemoteSimulator:
    """A simulator in another process: its URL and its directory of people."""

    url: str
    people: Directory


@contextmanager
def run_fresh_site(copy: Path) -> Iterator[Site]:
    """Run bin/dev in this copy and yield the site it starts."""
    app, clever = running_app.free_port(), running_app.free_port()
    with run_bin_dev(copy, PORT=str(app), SIMULATOR_PORT=str(clever)) as (child, log):
        wait_for_greeting(child, log, 300)
        url, clever_url = f"http://localhost:{app}", f"http://127.0.0.1:{clever}"
        remote = cast(
            RunningSimulator, RemoteSimulator(clever_url, sample_districts.build_directory())
        )
        yield Site(url, remote, running_app.settings_for(url, clever_url, copy))
