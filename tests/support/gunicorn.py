"""Runs gunicorn with the deployed configuration and any app, without a Clever server."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support import running_app
from tests.support.raw_http import PATIENCE, connect, get
from tests.support.reference_app import GUNICORN_APP

APP = GUNICORN_APP


@dataclass(frozen=True)
class Gunicorn:
    """A gunicorn process that answers requests."""

    url: str
    host: str
    child: subprocess.Popen[bytes]
    log: Path
    socket: Path | None = None

    @property
    def place(self) -> str | Path:
        """The Unix socket or URL to connect to."""
        return self.socket or self.url


def command(*options: str, app: str = APP) -> list[str]:
    """Return the start command. It uses the script, as the Procfile does; USR2 runs it again."""
    return [sys.executable, str(Path(sys.executable).with_name("gunicorn")), *options, app]


@contextmanager
def gunicorn(
    folder: Path,
    *options: str,
    app: str = APP,
    unix: bool = False,
    wait: bool = True,
    **variables: str,
) -> Iterator[Gunicorn]:
    """Start gunicorn on a free port or a Unix socket, and wait until it answers.

    Without `wait`, its socket accepts connections, but no worker may have started yet.
    """
    port = running_app.free_port()
    url = f"http://localhost:{port}"
    path = folder / "gunicorn.sock" if unix else None
    bind = f"unix:{path}" if path else f"127.0.0.1:{port}"
    env = running_app.environment_variables(
        running_app.settings_for(url, "http://127.0.0.1:9", folder), port
    )
    log = folder / "gunicorn.log"
    start = command("--bind", bind, *options, app=app)
    with running_app.run_process(start, env | variables, log) as child:
        server = Gunicorn(url, f"localhost:{port}", child, log, path)
        _wait(server)
        if wait:
            assert get(server.place, "/healthz", server.host).status
        yield server


def _wait(server: Gunicorn) -> None:
    """Wait until the socket accepts connections."""
    deadline = time.monotonic() + PATIENCE
    while not _is_up(server):
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)


def _is_up(server: Gunicorn) -> bool:
    assert server.child.poll() is None, server.log.read_text()
    try:
        connect(server.place).close()
    except OSError:
        return False
    return True


def worker_processes(master: int) -> list[int]:
    """Return the process ids of gunicorn's workers."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text()
    return sorted(map(int, children.split()))


def open_files(pid: int) -> list[str]:
    """Return what each file descriptor of a process refers to."""
    names = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # it has been closed meanwhile
            names.append(str(descriptor.readlink()))
    return names


def memory_mb(pid: int) -> float:
    """Return the memory of a process that it shares with no other, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    private = (line.split()[1] for line in lines if line.startswith("Private_"))
    return sum(map(int, private)) / 1024
