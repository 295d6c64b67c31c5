"""A Redis and a PostgreSQL that can be killed and started again with their data."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis

from tests.deployed.faults.gate import Gate
from tests.support import running_app

PATIENCE = 60.0  # seconds
POSTGRES_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
DISK_SIZE = "64m"  # of the disk of the app's database


class Server:
    """A process on a port of this machine, with a gate in front of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, running_app.free_port()
        self.gate = Gate(self.port)
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Return the command that starts the server."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether the server answers."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + PATIENCE
        while not self.is_ready():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill all processes of the server at once."""
        assert self.process
        processes = [self.process.pid, *children(self.process.pid)]
        for process in processes:
            os.kill(process, signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + PATIENCE
        while any(is_running(process) for process in processes):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the server and its gate while the block runs."""
        self.start()
        try:
            with self.gate.open():
                yield
        finally:
            self.kill()

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Kill the server, and start it with its data after the block."""
        with self.gate.closed():
            self.kill()
            yield
            self.start()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Suspend the server. Its sockets stay open, but nothing answers."""
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)  # first, so that it starts no others
        others = children(self.process.pid)
        for process in others:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in (*others, self.process.pid):
                os.kill(process, signal.SIGCONT)


class RedisServer(Server):
    """A Redis that writes each command to a file before it answers."""

    @property
    def url(self) -> str:
        """The URL of the gate."""
        return f"redis://127.0.0.1:{self.gate.port}/0"

    def command(self) -> list[str]:
        """See Server."""
        save = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        return ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), *save]

    def is_ready(self) -> bool:
        """See Server."""
        try:
            with self.admin() as redis:
                return bool(redis.ping())
        except Exception:  # noqa: BLE001 # of any kind: it is not ready
            return False

    def admin(self) -> Redis:
        """Return an operator's client, which does not use the gate."""
        return Redis.from_url(f"redis://127.0.0.1:{self.port}/0")

    @contextmanager
    def full(self) -> Iterator[None]:
        """Reach the limit of memory."""
        with self.admin() as redis:
            redis.config_set("maxmemory", 1)
            yield
            redis.config_set("maxmemory", 0)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Make the server the replica of a server that does not answer."""
        with self.admin() as redis:
            redis.replicaof("127.0.0.1", 1)
            yield
            redis.replicaof("NO", "ONE")

    @contextmanager
    def without_inserts(self) -> Iterator[None]:
        """Take the permission to write values away."""
        with self.admin() as redis:
            redis.acl_setuser("default", enabled=True, nopass=True, commands=["-set"])
            yield
            redis.acl_setuser("default", enabled=True, nopass=True, commands=["+set"])


class PostgresServer(Server):
    """A PostgreSQL with one database for the app, on a small disk if this user is root."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._data = Path(tempfile.mkdtemp(prefix="faults-postgres-"))
        self._disk: subprocess.Popen[bytes] | None = None
        self._as_user: list[str] = []

    @property
    def url(self) -> str:
        """The URL of the app's database, through the gate."""
        return f"postgresql://app@127.0.0.1:{self.gate.port}/school"

    @property
    def has_disk(self) -> bool:
        """Whether the app's database is on a disk of its own."""
        return self._disk is not None

    def command(self) -> list[str]:
        """See Server."""
        program = [*self._as_user, str(running_app.postgres_program("postgres"))]
        start = [*program, "-D", f"{self._data}/data", "-F", "-p", str(self.port)]
        return [*self._on_disk(), *start, "-h", "127.0.0.1", "-k", "", "-c", "max_connections=60"]

    def is_ready(self) -> bool:
        """See Server."""
        try:
            self.do("SELECT 1", database="postgres")
        except psycopg.OperationalError:
            return False
        return True

    def do(self, statement: str, database: str = "school") -> list[Any]:
        """Run a statement as an operator, and return the rows."""
        with self._connect(database) as connection:
            connection.autocommit = True
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _connect(self, database: str) -> psycopg.Connection[Any]:
        url = f"postgresql://school@127.0.0.1:{self.port}/{database}"
        return psycopg.connect(url, connect_timeout=10)

    @contextmanager
    def running(self) -> Iterator[None]:
        """See Server."""
        try:
            self._prepare()
            with super().running():
                self._create_database()
                yield
        finally:
            if self._disk:
                self._disk.kill()
                self._disk.wait()
            shutil.rmtree(self._data)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Fill the disk of the database, and the free space in the table of accounts."""
        assert self._disk
        filler = Path(f"/proc/{self._disk.pid}/root{self._data}/disk/filler")
        fill(filler)
        try:
            with self._connect("school") as connection:
                _fill_table(connection, "clever_people")
                yield
                connection.rollback()
        finally:
            filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Make the database read-only, as a provider does before it moves a server."""
        self.do("ALTER DATABASE school SET default_transaction_read_only = on")
        self._hang_up()
        yield
        self.do("ALTER DATABASE school RESET default_transaction_read_only", "postgres")

    @contextmanager
    def without_inserts(self) -> Iterator[None]:
        """Take the permission to insert rows away."""
        self.do("REVOKE INSERT ON ALL TABLES IN SCHEMA public FROM app")
        yield
        self.do("GRANT INSERT ON ALL TABLES IN SCHEMA public TO app")

    def _hang_up(self) -> None:
        self.do(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'",
            "postgres",
        )

    def _prepare(self) -> None:
        (self._data / "disk").mkdir()
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self._as_user = POSTGRES_USER
            for path in (self._data, self._data / "disk"):
                os.chown(path, 65534, 65534)
            self._disk = mount_disk(self._data / "disk", DISK_SIZE, 65534)
        create = [*self._as_user, str(running_app.postgres_program("initdb"))]
        create += ["-D", f"{self._data}/data", "-U", "school", "--auth=trust", "--no-sync"]
        create += ["--encoding=UTF8", "--locale=C"]
        subprocess.run(create, check=True, capture_output=True, cwd=self._data)

    def _create_database(self) -> None:
        self.do("CREATE ROLE app LOGIN", "postgres")
        if self._disk:
            self.do(f"CREATE TABLESPACE small LOCATION '{self._data}/disk'", "postgres")
        options = "TABLESPACE small" if self._disk else ""
        self.do(f"CREATE DATABASE school OWNER app {options}", "postgres")

    def _on_disk(self) -> list[str]:
        return ["nsenter", f"--mount=/proc/{self._disk.pid}/ns/mnt"] if self._disk else []


def _fill_table(connection: psycopg.Connection[Any], table: str) -> None:
    """Add copies of a row in a transaction that stays open, until the disk has no place for more.

    Otherwise the app would use the free space in the pages of the table.
    """
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
    names = [name for (name,) in connection.execute(columns, (table,)).fetchall()]
    values = {name: name for name in names} | {"id": "md5(random()::text)", "clever_id": "NULL"}
    insert = (
        f"INSERT INTO {table} ({', '.join(names)}) "  # noqa: S608 # constants
        f"SELECT {', '.join(values[name] for name in names)} FROM {table} LIMIT 1"
    )
    try:
        while True:
            with connection.transaction():
                connection.execute(insert)
    except psycopg.errors.DiskFull:
        return


def children(process: int) -> list[int]:
    """Return the ids of the processes that this process has started."""
    return [child for child in _all_processes() if _parent(child) == process]


def is_running(process: int) -> bool:
    """Whether this process exists and has not ended."""
    return _stat(process)[:1] not in ([], ["Z"])


def _all_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _parent(process: int) -> int:
    return int((_stat(process) or ["", "0"])[1])


def _stat(process: int) -> list[str]:
    """Return the state, the parent, and more of a process. Empty if there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def mount_disk(folder: Path, size: str, user: int) -> subprocess.Popen[bytes]:
    """Mount a small disk that only the processes of a mount namespace see. Needs root.

    Returns the process that keeps the namespace.
    """
    options = f"size={size},mode=0700,uid={user},gid={user}"
    script = f'mount -t tmpfs -o {options} tmpfs "$1" && echo ready && exec sleep infinity'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.stdout.close()
    return process


def fill(path: Path) -> None:
    """Fill the disk to the last byte."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
