"""The servers that bench.scenarios.compare_servers compares, and how each one runs this app."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.harness.open_loop import Site
from bench.harness.resources import process_tree
from tests.support import running_app

WORKERS, THREADS = 2, 80
APP = "app:create_app()"
GUNICORN = ("gunicorn", "--workers", str(WORKERS), "--bind", "127.0.0.1:{port}")
PLAIN = (*GUNICORN, "--config", "bench/peers/gunicorn_plain.py")


@dataclass(frozen=True)
class Candidate:
    """A server. `command` is a program of its environment and its arguments."""

    name: str
    label: str
    command: tuple[str, ...]

    def started_by(self, programs: Path, port: int) -> list[str]:
        """Returns the command for a port."""
        program, *arguments = (word.format(port=port) for word in self.command)
        return [str(programs / program), *arguments]


CANDIDATES = {
    candidate.name: candidate
    for candidate in (
        Candidate("gthread", "gunicorn, gthread", (*PLAIN, APP)),
        Candidate(
            "ours",
            "gunicorn, our worker on waitress's loop",
            (*GUNICORN, "--config", "gunicorn.conf.py", APP),
        ),
        Candidate(
            "waitress", "waitress alone", ("python", "-m", "bench.peers.waitress_pair", "{port}")
        ),
        Candidate(
            "granian",
            "granian",
            (
                "granian",
                *("--interface", "wsgi", "--http", "1", "--factory", "app:create_app"),
                *("--workers", str(WORKERS), "--blocking-threads", str(THREADS)),
                *("--host", "127.0.0.1", "--port", "{port}"),
            ),
        ),
        Candidate("gevent", "gunicorn, gevent", (*PLAIN, "--worker-class", "gevent", APP)),
        Candidate(
            "uwsgi",
            "uWSGI with its HTTP router",
            (
                "uwsgi",
                *("--http", "127.0.0.1:{port}", "--master", "--processes", str(WORKERS)),
                *("--threads", str(THREADS), "--module", APP, "--need-app", "--die-on-term"),
                *("--http-keepalive", "--disable-logging", "--pythonpath", "."),
            ),
        ),
    )
}


@dataclass(frozen=True)
class Running:
    """A running candidate."""

    candidate: Candidate
    port: int
    pid: int

    @property
    def url(self) -> str:
        """The URL."""
        return f"http://localhost:{self.port}"

    @property
    def site(self) -> Site:
        """The site to log in to."""
        return Site(self.url, "/login", "/oauth/callback")


@contextmanager
def running(
    candidate: Candidate, programs: Path, variables: dict[str, str], folder: Path
) -> Iterator[Running]:
    """Starts a candidate on a free port, with an app whose APP_URL is there."""
    port = running_app.free_port()
    address = f"http://localhost:{port}"
    env = variables | {"APP_URL": address, "PORT": str(port)}
    log = folder / f"{candidate.name}-{port}.log"
    command = candidate.started_by(programs, port)
    members: list[int] = []
    try:
        with running_app.run_process(command, env, log) as child:
            try:
                running_app.wait_until_answers(f"http://127.0.0.1:{port}/healthz", child, 60)
            except AssertionError as error:
                raise AssertionError(log.read_text()[-2000:]) from error
            members += process_tree(child.pid)
            yield Running(candidate, port, child.pid)
    finally:
        _end_orphans(members, port)


def _end_orphans(pids: list[int], port: int) -> None:
    """Kills workers that outlive their parent. Their command line contains the port."""
    for pid in pids:
        with suppress(OSError):
            if str(port).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
