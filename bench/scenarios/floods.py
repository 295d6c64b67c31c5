"""Measures what anonymous floods leave in the session store and in memory.

    .venv-test/bin/python -m bench.scenarios.floods [files|Redis|PostgreSQL]

Each line of the table is one process of the app, which gets all requests one after another.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
from flask.testing import FlaskClient
from redis import Redis

from tests.support import running_app
from tests.support.reference_app.app import create_app
from tests.support.running_app import ROOT

WARM_UP, REQUESTS = 200, 10_000
HEADER = """\
| store | flood of 10,000 | memory of the process, MB | values | bytes of the store \
| the last expires after |
|---|---|---|---|---|---|
"""
LINE = (
    "| {store} | {flood} | {before.memory:.0f}, then {after.memory:.0f}"
    " | {before.values:,}, then {after.values:,} | {before.size:,}, then {after.size:,}"
    " | {after.seconds:.0f} s |\n"
)


@dataclass(frozen=True)
class Figures:
    """The memory of the app's process in MB, and the store: values, bytes, longest time left."""

    memory: float
    values: int
    size: int
    seconds: float


class RefusingClever(BaseHTTPRequestHandler):
    """Refuses every authorization code."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer as a token endpoint to a code that it does not know."""
        self.rfile.read(int(self.headers["Content-Length"]))
        content = b'{"error": "invalid_grant"}'
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def refusing_clever() -> Iterator[str]:
    """Serve RefusingClever. Yields its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), RefusingClever) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fail_to_log_in(client: FlaskClient) -> None:
    """Start a login, and come back with a code that Clever refuses."""
    location = client.get("/login").headers["Location"]
    state = location.partition("state=")[2].partition("&")[0]
    response = client.get(f"/oauth/callback?code={secrets.token_hex(20)}&state={state}")
    assert response.status_code in {302, 400}, response.status_code
    client._cookies = {}  # the next one is another visitor


def come_back_with_an_error(client: FlaskClient) -> None:
    """Start a login, and come back with an error instead of a code."""
    location = client.get("/login").headers["Location"]
    state = location.partition("state=")[2].partition("&")[0]
    assert client.get(f"/oauth/callback?error=x&state={state}").status_code == 403
    client._cookies = {}


def forge_a_callback(client: FlaskClient) -> None:
    """Request the callback with a code and a state that nobody has issued: the worst query."""
    query = f"code={secrets.token_hex(20)}&state={secrets.token_hex(20)}"
    assert client.get(f"/oauth/callback?{query}").status_code == 400


FLOODS: dict[str, Callable[[FlaskClient], None]] = {
    "failed logins": fail_to_log_in,
    "logins that end with an error": come_back_with_an_error,
    "malformed callbacks": forge_a_callback,
}


def main() -> None:
    """Measures every flood with every store, and prints the table of docs/reliability.md."""
    if len(sys.argv) > 2:
        print(json.dumps([asdict(figures) for figures in _measure(*sys.argv[1:])]))
        return
    print(HEADER, end="")
    for store in sys.argv[1:] or ("files", "Redis", "PostgreSQL"):
        for flood in FLOODS:
            before, after = _measure_in_a_process(store, flood)
            print(LINE.format(store=store, flood=flood, before=before, after=after), end="")
            sys.stdout.flush()


def _measure_in_a_process(store: str, flood: str) -> tuple[Figures, Figures]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, url = Path(name), ""
        if store == "Redis":
            url = stack.enter_context(running_app.run_redis(folder))
        elif store == "PostgreSQL":
            server = stack.enter_context(running_app.run_postgres(folder))
            url = running_app.new_database_with_tables(server)
        command = [sys.executable, "-m", "bench.scenarios.floods", store, flood, name, url]
        result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
        before, after = json.loads(result.stdout.splitlines()[-1])
        return Figures(**before), Figures(**after)


def _measure(store: str, flood: str, folder: str, url: str) -> Iterator[Figures]:
    variable = {"Redis": "redis_url", "PostgreSQL": "database_url"}.get(store)
    changes = {variable: url} if variable else {}
    with refusing_clever() as clever, Path(folder, "log").open("w") as log:
        os.dup2(log.fileno(), 2)  # a line for each failure
        settings = running_app.settings_for("http://localhost", clever, Path(folder), **changes)
        client = create_app(settings).test_client()
        for _ in range(WARM_UP):
            FLOODS[flood](client)
        yield _figures(store, Path(folder), url)
        for _ in range(REQUESTS):
            FLOODS[flood](client)
        yield _figures(store, Path(folder), url)


def _figures(store: str, folder: Path, url: str) -> Figures:
    status = Path("/proc/self/status").read_text()
    memory = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    measure = {"files": _file_figures, "Redis": _redis_figures, "PostgreSQL": _postgresql_figures}
    values, size, seconds = measure[store](folder, url)
    return Figures(memory, values, size, max(seconds, 0))


def _file_figures(folder: Path, _url: str) -> tuple[int, int, float]:
    files = [*(folder / "store").glob("sessions.sqlite3*")]
    if not files:
        return 0, 0, 0
    with sqlite3.connect(folder / "store" / "sessions.sqlite3") as connection:
        query = "SELECT count(*), coalesce(max(expires) - unixepoch(), 0) FROM entries"
        values, seconds = connection.execute(query).fetchone()
    return values, sum(path.stat().st_size for path in files), seconds


def _redis_figures(_folder: Path, url: str) -> tuple[int, int, float]:
    with Redis.from_url(url) as redis:
        left = [int(str(redis.ttl(key))) for key in redis.scan_iter(count=1000)]
        return len(left), int(redis.info("memory")["used_memory"]), max(left, default=0)


def _postgresql_figures(_folder: Path, url: str) -> tuple[int, int, float]:
    query = (
        "SELECT count(*), pg_total_relation_size('clever_store'),"
        " coalesce(extract(epoch FROM max(expires_at) - now()), 0) FROM clever_store"
    )
    with psycopg.connect(url) as connection:
        values, size, seconds = connection.execute(query).fetchone() or (0, 0, 0)
    return values, size, float(seconds)


if __name__ == "__main__":
    main()
