"""The app as deployed: gunicorn with two workers, its stores, and the simulated Clever."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clever_login.storage.private_files import DATABASE_FILE
from clever_simulator.config import default_config
from tests.deployed.faults.servers import PostgresServer, RedisServer, children, fill, mount_disk
from tests.support import fresh_checkout, running_app
from tests.support.reference_app import GUNICORN_APP, MODULE
from tests.support.running_app import ROOT, Site
from tests.support.simulators import run_in_background

WORKERS = 2
QUERY = """
import json, sqlite3, sys
print(json.dumps(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))
"""
COUNTED_TABLES = ("clever_people", "clever_sections", "clever_enrollments", "clever_schools")


@dataclass
class System:
    """A running app, and everything that can fail below it."""

    site: Site
    gunicorn: subprocess.Popen[bytes]
    log: Path
    rows: Callable[[str], list[Any]]  # of a query of the app's database
    redis: RedisServer | None = None
    postgres: PostgresServer | None = None
    disk: Path | None = None

    @property
    def workers(self) -> list[int]:
        """The process ids of gunicorn's workers."""
        return children(self.gunicorn.pid)

    def account_ids(self) -> dict[str, str]:
        """Return the account id of everyone who has logged in, by Clever id."""
        query = "SELECT clever_id, id FROM clever_people WHERE last_login IS NOT NULL"
        return dict(self.rows(query))

    def counts(self) -> dict[str, int]:
        """Return the number of rows that a sync has written, by table."""
        return {
            table: int(self.rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 # constants
            for table in COUNTED_TABLES
        }

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Fill the disk of the app's files."""
        assert self.disk
        fill(self.disk / "filler")
        try:
            yield
        finally:
            (self.disk / "filler").unlink()


@contextmanager
def on_servers(folder: Path, *, with_redis: bool = True) -> Iterator[System]:
    """Run the app with PostgreSQL, which also has the sessions if there is no Redis."""
    with ExitStack() as stack:
        postgres = PostgresServer(make_folder(folder / "postgres"))
        stack.enter_context(postgres.running())
        changes: dict[str, Any] = {"database_url": postgres.url}
        redis = RedisServer(make_folder(folder / "redis")) if with_redis else None
        if redis:
            stack.enter_context(redis.running())
            changes["redis_url"] = redis.url
        site = stack.enter_context(_site(folder, **changes))
        command = [sys.executable, "-m", "gunicorn", "--workers", str(WORKERS), GUNICORN_APP]
        environ = _environment(site)
        log = folder / "gunicorn.log"
        _set_up(site, [sys.executable, "-m", "flask", "--app", MODULE], ROOT)
        child = stack.enter_context(running_app.run_process(command, environ, log))
        running_app.wait_until_answers(f"{site.url}/readyz", child)
        yield System(site, child, log, postgres.do, redis, postgres)


@contextmanager
def on_files(folder: Path) -> Iterator[System]:
    """Run the app with its sessions and its database in files on a small disk. Needs root."""
    with ExitStack() as stack:
        copy = fresh_checkout.copy_app(folder)
        instance = make_folder(copy / "instance")
        holder = mount_disk(instance, "4m", 0)
        stack.callback(holder.wait)
        stack.callback(holder.kill)
        disk = Path(f"/proc/{holder.pid}/root{instance}")
        # Entering a mount namespace changes the working directory.
        enter = ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "sh", "-c"]
        enter += ['cd "$1" && shift && exec "$@"', "sh", str(copy)]
        site = stack.enter_context(_site(folder))
        _set_up(site, [*enter, sys.executable, "-m", "flask", "--app", "app"], copy)
        command = [*enter, sys.executable, "-m", "gunicorn", "--workers", str(WORKERS)]
        command += ["--config", str(ROOT / "gunicorn.conf.py"), "app:create_app()"]
        log = folder / "gunicorn.log"
        child = stack.enter_context(
            running_app.run_process(command, _environment(site), log, cwd=copy)
        )
        running_app.wait_until_answers(f"{site.url}/readyz", child)

        def rows(query: str) -> list[Any]:
            # SQLite resolves the links in /proc, so only a process in the namespace finds the file.
            found = [*enter, sys.executable, "-c", QUERY, str(instance / DATABASE_FILE), query]
            answer = subprocess.run(found, check=True, capture_output=True)
            return list(json.loads(answer.stdout))

        yield System(site, child, log, rows, disk=disk)


@contextmanager
def _site(folder: Path, **changes: Any) -> Iterator[Site]:
    """Run the simulator, and yield a site whose app is not started yet."""
    url = f"http://localhost:{running_app.free_port()}"
    with run_in_background(default_config(url)) as clever:
        yield Site(url, clever, running_app.settings_for(url, clever.url, folder, **changes))


def _environment(site: Site) -> dict[str, str]:
    return running_app.environment_variables(site.settings, int(site.url.rpartition(":")[2]))


def _set_up(site: Site, flask: list[str], folder: Path) -> None:
    """Create the tables, and run a first sync."""
    for words in (("db", "upgrade"), ("sync",)):
        subprocess.run(
            [*flask, "clever", *words],
            env=running_app._base_environment() | _environment(site),
            cwd=folder,
            check=True,
            capture_output=True,
        )


def make_folder(folder: Path) -> Path:
    """Create a folder and return it."""
    folder.mkdir()
    return folder
