"""Operates a real PostgreSQL server: stops it, limits it, and counts its connections."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.support import running_app


class Server:
    """An operator's connection, which survives what a test does to the app's connections."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._admin = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        self._admin.close()

    def do(self, statement: str) -> Any:
        """Run a statement. Returns the first value of the result, or None without rows."""
        cursor = self._admin.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def new_user(self, options: str = "") -> tuple[str, str]:
        """Create a user that owns an empty database.

        Returns the user's name and its database URL.
        """
        user, database = f"app_{secrets.token_hex(4)}", running_app.new_database(self.url)
        self.do(f"CREATE ROLE {user} LOGIN {options}")
        self.do(f"ALTER DATABASE {database.rpartition('/')[2]} OWNER TO {user}")
        return user, database.replace("//school@", f"//{user}@")

    def connections(self, database: str) -> int:
        """Return the number of connections to the database at this URL."""
        return int(self.do(f"SELECT count(*) {_others(database)}"))

    def hang_up(self, database: str) -> None:
        """Close every connection to the database at this URL, as a restart does."""
        self.do(f"SELECT pg_terminate_backend(pid) {_others(database)}")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Suspend every process of the server. Its sockets stay open, but nothing answers."""
        first = _parent(int(self.do("SELECT pg_backend_pid()")))
        os.kill(first, signal.SIGSTOP)
        all_of_it = [first, *(process for process in _processes() if _parent(process) == first)]
        for process in all_of_it:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in reversed(all_of_it):
                os.kill(process, signal.SIGCONT)


def _others(database: str) -> str:
    name = urlsplit(database).path[1:]
    clients = "backend_type = 'client backend' AND pid <> pg_backend_pid()"  # no autovacuum
    return f"FROM pg_stat_activity WHERE datname = '{name}' AND {clients}"


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _parent(process: int) -> int:
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:  # the process has ended
        return 0
    return int(text.rpartition(")")[2].split()[1])


@contextmanager
def pgbouncer(server_url: str, folder: Path, *settings: str) -> Iterator[int]:
    """Run PgBouncer in transaction mode in front of this server. Yields its port.

    `settings` are further lines of pgbouncer.ini; a later line overrides an earlier one.
    PgBouncer refuses to run as root, so root runs it as another user.
    """
    parts, port = urlsplit(server_url), running_app.free_port()
    home = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    (home / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={parts.hostname} port={parts.port} user={parts.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n" + "\n".join(settings)
    )
    before: list[str] = []
    if os.geteuid() == 0:
        before = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        home.chmod(0o755)
    try:
        command = [*before, "/usr/sbin/pgbouncer", str(home / "pgbouncer.ini")]
        with running_app.run_process(command, {}, folder / "pgbouncer.log", cwd=home) as child:
            running_app.wait_for_port(port, child)
            yield port
    finally:
        shutil.rmtree(home)
