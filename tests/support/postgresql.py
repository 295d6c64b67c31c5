"""What the tests do to a real PostgreSQL: stop it, limit it, count its connections."""

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
    """An operator's own connection, which survives what is done to the app's."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._admin = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        self._admin.close()

    def do(self, statement: str) -> Any:
        """The first value of an answer, None where there are no rows."""
        cursor = self._admin.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def new_user(self, options: str = "") -> tuple[str, str]:
        """A user who may do anything in an empty database of its own; its name and URL."""
        user, database = f"app_{secrets.token_hex(4)}", running_app.new_database(self.url)
        self.do(f"CREATE ROLE {user} LOGIN {options}")
        self.do(f"ALTER DATABASE {database.rpartition('/')[2]} OWNER TO {user}")
        return user, database.replace("//school@", f"//{user}@")

    def connections(self, database: str) -> int:
        """How many connections there are to this database, given by its URL."""
        return int(self.do(f"SELECT count(*) {_others(database)}"))

    def hang_up(self, database: str) -> None:
        """End every connection to this database, as a restart does."""
        self.do(f"SELECT pg_terminate_backend(pid) {_others(database)}")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop every process of the server: its sockets stay open, and nothing answers."""
        first = _parent(int(self.do("SELECT pg_backend_pid()")))
        os.kill(first, signal.SIGSTOP)
        all_of_it = [first, *(each for each in _processes() if _parent(each) == first)]
        for process in all_of_it:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in reversed(all_of_it):
                os.kill(process, signal.SIGCONT)


def _others(database: str) -> str:
    name = urlsplit(database).path[1:]
    return f"FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"


def _processes() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def _parent(process: int) -> int:
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:  # it has ended meanwhile
        return 0
    return int(text.rpartition(")")[2].split()[1])


@contextmanager
def pgbouncer(server_url: str, folder: Path) -> Iterator[int]:
    """A PgBouncer in transaction mode before this server; its port.

    It refuses to run as root, and is another user then.
    """
    parts, port = urlsplit(server_url), running_app.free_port()
    home = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    (home / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={parts.hostname} port={parts.port} user={parts.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n"
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
