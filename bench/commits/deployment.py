"""Runs a commit as a host does: from its Procfile, with settings in the environment only."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench.commits.checkout import Checkout
from bench.fake_clever import responses
from bench.harness.resources import cpu_seconds, process_tree, pss_mb
from bench.harness.stack import Stack
from tests.support import running_app

PATIENCE_SECONDS = 60.0
INHERITED = ("HOME", "LANG", "TMPDIR")


class DidNotRun(Exception):
    """A commit's command failed or its server did not respond. The message has its output."""


@dataclass(frozen=True)
class Installed:
    """A commit with its own PostgreSQL and Redis databases. Its port stays the same."""

    checkout: Checkout
    port: int
    variables: dict[str, str]
    log: Path

    @property
    def url(self) -> str:
        """The URL once it runs."""
        return f"http://localhost:{self.port}"


@dataclass(frozen=True)
class Deployed:
    """A running commit."""

    url: str
    pid: int
    start_seconds: float

    def cpu_seconds(self) -> float:
        """Returns the CPU time so far of all its processes, in seconds."""
        return cpu_seconds(self.pid)

    def worker_mb(self) -> float:
        """Returns the memory (PSS) of its largest process, in MB."""
        return max(map(pss_mb, process_tree(self.pid)))


def install(stage: Stack, checkout: Checkout, number: int) -> Installed:
    """Runs the release command, as a host does, and syncs the upstream's rosters."""
    port = running_app.free_port()
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    path = os.pathsep.join([str(checkout.programs), os.environ.get("PATH", os.defpath)])
    settings = {
        "APP_ENV": "development",  # allows another URL for Clever
        "APP_URL": f"http://localhost:{port}",
        "SECRET_KEY": "0f" * 32,
        "CLEVER_CLIENT_ID": responses.CLIENT_ID,
        "CLEVER_CLIENT_SECRET": responses.CLIENT_SECRET,
        "CLEVER_URL": stage.clever_url,
        "CLEVER_API_URL": stage.api_url,
        "CLEVER_CA_BUNDLE": str(stage.ca_bundle),
        "CLEVER_STATUS_URL": "",
        "REDIS_URL": f"{stage.redis_url.rpartition('/')[0]}/{number}",
        "DATABASE_URL": running_app.new_database(stage.postgres_url),
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
        "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{port}",  # loopback only
        "PYTHONHASHSEED": "0",
    }
    log = stage.folder / f"{number}.log"
    installed = Installed(checkout, port, {**inherited, "PATH": path, **settings}, log)
    _command(installed, checkout.process("release"))
    _command(installed, "flask --app app clever sync")
    return installed


@contextmanager
def deployed(installed: Installed) -> Iterator[Deployed]:
    """Starts a commit's web process, and stops it at the end of the block."""
    command = ["sh", "-c", f"exec {installed.checkout.process('web')}"]
    with installed.log.open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=installed.checkout.folder,
            env=installed.variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for_an_answer(installed, process, began + PATIENCE_SECONDS)
        yield Deployed(installed.url, process.pid, time.perf_counter() - began)
    finally:
        _stop(process)


def _command(installed: Installed, command: str) -> None:
    result = subprocess.run(
        ["sh", "-c", command],
        cwd=installed.checkout.folder,
        env=installed.variables,
        check=False,
        capture_output=True,
        text=True,
    )
    if result.returncode:
        commit = installed.checkout.commit
        raise DidNotRun(f"`{command}` failed in {commit}:\n{result.stdout}{result.stderr}")


def _wait_for_an_answer(
    installed: Installed, process: subprocess.Popen[bytes], until: float
) -> None:
    while time.perf_counter() < until and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", installed.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", "/healthz", headers={"Host": f"localhost:{installed.port}"})
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.005)
        finally:
            connection.close()
    log = installed.log.read_text(errors="replace")
    raise DidNotRun(f"{installed.checkout.commit} did not answer:\n{log[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Terminates the process, then kills its session, which contains everything it started."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
