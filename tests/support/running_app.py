"""Runs the app and the simulator on separate ports and host names, as in production."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import requests
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.serving import make_server

from clever_login.config import DEVELOPMENT, Settings
from clever_login.db import migrate
from clever_login.db.connection_limits import COMMAND_LIMITS
from clever_login.db.database import database
from clever_login.db.engines import make_engine
from clever_login.storage.private_files import DATABASE_FILE
from clever_simulator.config import default_config
from clever_simulator.directory.models import Person
from clever_simulator.server import RunningSimulator
from tests.support.browser_client import Visitor
from tests.support.certificates import Certificate
from tests.support.reference_app import GUNICORN_APP
from tests.support.reference_app.app import create_app
from tests.support.simulators import run_in_background

ROOT = Path(__file__).resolve().parent.parent.parent


class CompiledTemplates(BytecodeCache):
    """Templates compiled once per test process. Jinja recompiles them when they change."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket with bytecode from an earlier app in this process."""
        if code := self._code.get(bucket.key):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the bytecode that an app has compiled."""
        self._code[bucket.key] = bucket.bytecode_to_string()


COMPILED = CompiledTemplates()


@dataclass(frozen=True)
class Site:
    """One running app and the simulator it uses."""

    url: str
    clever: RunningSimulator
    settings: Settings
    app: Flask | None = None  # None when it runs in other processes

    def visitor(self) -> Visitor:
        """Return a new browser without cookies."""
        return Visitor(self.url)

    def person(self, user_name: str) -> Person:
        """Return the simulator's person with this user name."""
        return self.clever.people.person(user_name)


def settings_for(url: str, clever_url: str, folder: Path, **changes: Any) -> Settings:
    """Return the settings of a development environment."""
    values: dict[str, object] = {
        "app_env": DEVELOPMENT,
        "secret_key": secrets.token_hex(32),
        "app_url": url,
        "clever_client_id": "simulator",
        "clever_client_secret": "simulator-secret",
        "clever_url": clever_url,
        "clever_api_url": clever_url,
        "instance_path": str(folder),
    }
    return Settings(**(values | changes))  # type: ignore[arg-type] # checked by tests that use it


@contextmanager
def run_in_process(
    folder: Path,
    extend: Callable[[Flask], None] | None = None,
    between: Callable[[str], AbstractContextManager[str]] = nullcontext,
    certificate: Certificate | None = None,
    tables: bool = True,
    make_app: Callable[[Settings], Flask] = create_app,
    **changes: Any,
) -> Iterator[Site]:
    """Run the app in a thread of this process, which is the fast way.

    In text settings, {clever} stands for the simulator's URL. `make_app` may create another app
    than the starter, `extend` may add views to it,
    `between` may put a proxy between the app and Clever's API, and with a `certificate` the app is
    served over https. With `tables`, its SQLite file already exists; without, the app creates it,
    as on its first start.
    """
    tls = (str(certificate.certificate), str(certificate.key)) if certificate else None
    with run_in_background() as clever, between(clever.url) as api_url:
        server = make_server("127.0.0.1", 0, _empty_wsgi_app, threaded=True, ssl_context=tls)
        url = f"http{'s' if tls else ''}://localhost:{server.server_port}"
        with server:
            changes = {"clever_api_url": api_url, **changes}
            changes = {name: _format_setting(value, clever.url) for name, value in changes.items()}
            settings = settings_for(url, clever.url, folder, **changes)
            clever.configure(default_config(url, settings.clever_api_version))
            if tables and not settings.database_url:
                _put_tables(folder / DATABASE_FILE)
            server.app = app = make_app(settings)
            app.jinja_env.bytecode_cache = clever.app.jinja_env.bytecode_cache = COMPILED
            if extend:
                extend(app)
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            try:
                yield Site(url, clever, settings, app)
            finally:
                server.shutdown()
                thread.join()
                database(app).close()


def _put_tables(file: Path) -> None:
    """Write a SQLite file with empty tables, unless an earlier app of the same test has one."""
    if not file.exists():
        file.touch(0o600)
        file.write_bytes(_empty_tables())


@cache
def _empty_tables() -> bytes:
    """Return a SQLite file with empty tables.

    It is made once per test process, because Alembic takes 50 ms.
    """
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{folder}/{DATABASE_FILE}", COMMAND_LIMITS)
        migrate.upgrade(engine)
        engine.dispose()
        return Path(folder, DATABASE_FILE).read_bytes()


@contextmanager
def run_gunicorn_with_redis(
    folder: Path,
    *,
    workers: int = 2,
    options: tuple[str, ...] = (),
    redis: tuple[str, ...] = (),
    **changes: Any,
) -> Iterator[Site]:
    """Run the app as deployed: gunicorn workers that share a real Redis.

    `options` are options of gunicorn, `redis` options of Redis.
    """
    with (
        run_redis(folder, options=redis) as redis_url,
        run_gunicorn(
            folder, workers=workers, options=options, redis_url=redis_url, **changes
        ) as site,
    ):
        yield site


@contextmanager
def run_gunicorn_with_postgresql(folder: Path, **changes: Any) -> Iterator[Site]:
    """Run the app as a small school does: gunicorn workers, and PostgreSQL for everything."""
    with (
        run_postgres(folder) as server_url,
        run_gunicorn(folder, database_url=new_database_with_tables(server_url), **changes) as site,
    ):
        yield site


@contextmanager
def run_gunicorn(
    folder: Path, *, workers: int = 2, options: tuple[str, ...] = (), **changes: Any
) -> Iterator[Site]:
    """Run gunicorn workers on the stores in `changes`."""
    with run_in_background() as clever:
        port = free_port()
        url = f"http://localhost:{port}"
        changes = {"web_concurrency": workers, **changes}
        settings = settings_for(url, clever.url, folder, **changes)
        clever.configure(default_config(url, settings.clever_api_version))
        command = [sys.executable, "-m", "gunicorn", "--workers", str(workers), *options]
        command.append(GUNICORN_APP)
        with run_process(
            command, environment_variables(settings, port), folder / "gunicorn.log"
        ) as child:
            wait_until_answers(f"{url}/healthz", child)
            yield Site(url, clever, settings)


@contextmanager
def run_redis(
    folder: Path, certificate: Certificate | None = None, options: tuple[str, ...] = ()
) -> Iterator[str]:
    """Run a Redis on a free port, with TLS if there is a certificate. Yields its URL.

    `options` are further options of redis-server.
    """
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *options]
    if certificate:
        command += ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
        command += ["--tls-cert-file", str(certificate.certificate)]
        command += ["--tls-key-file", str(certificate.key)]
        command += ["--tls-ca-cert-file", str(certificate.certificate)]
    else:
        command += ["--port", str(port)]
    with run_process(command, {}, folder / "redis.log") as child:
        wait_for_port(port, child)
        yield f"redis{'s' if certificate else ''}://127.0.0.1:{port}/0"


@contextmanager
def run_postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server on a free port. Yields the URL of an empty database.

    PostgreSQL refuses to run as root, so root runs it as another user, in a folder that user owns.
    """
    data = Path(tempfile.mkdtemp(prefix="school-postgres-"))
    before: list[str] = []
    if os.geteuid() == 0:
        before = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(data, 65534, 65534)
    port = free_port()
    try:
        start = [*before, str(postgres_program("initdb")), "-D", f"{data}/data", "-U", "school"]
        start += ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        subprocess.run(start, check=True, capture_output=True, cwd=data, env=_base_environment())
        command = [*before, str(postgres_program("postgres")), "-D", f"{data}/data", "-F"]
        command += ["-p", str(port), "-h", "127.0.0.1", "-k", "", "-c", "max_connections=200"]
        with run_process(command, {}, folder / "postgres.log", cwd=data) as child:
            _wait_for_postgres(port, child)
            try:
                yield f"postgresql://school@127.0.0.1:{port}/postgres"
            finally:
                # On TERM it waits for its clients to disconnect, on INT it writes to disk.
                child.send_signal(signal.SIGQUIT)
                child.wait(20)
    finally:
        shutil.rmtree(data)


def new_database(server_url: str, template: str = "template1") -> str:
    """Create a database on this PostgreSQL server, by default without tables. Returns its URL."""
    name = f"school_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"{server_url.rpartition('/')[0]}/{name}"


def new_database_with_tables(server_url: str) -> str:
    """Create a database with empty tables on this PostgreSQL server. Returns its URL."""
    return new_database(server_url, _database_to_copy(server_url))


@cache
def _database_to_copy(server_url: str) -> str:
    """Return the name of a database with empty tables.

    It is made once per server, because the migrations take 200 ms.
    """
    url = new_database(server_url)
    engine = make_engine(url, COMMAND_LIMITS)
    migrate.upgrade(engine)
    engine.dispose()
    return url.rpartition("/")[2]


def postgres_program(name: str) -> Path:
    """Find a PostgreSQL program. Debian has them in a versioned folder that is not on the PATH."""
    paths = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return paths[-1] if paths else Path(shutil.which(name) or name)


def _wait_for_postgres(port: int, child: subprocess.Popen[bytes], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    ask = [str(postgres_program("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ask, check=False, env=_base_environment()).returncode != 0:
        assert child.poll() is None, f"PostgreSQL ended with {child.returncode}"
        assert time.monotonic() < deadline, f"PostgreSQL did not answer in {seconds} s"
        time.sleep(0.05)


@contextmanager
def run_process(
    command: list[str], env: dict[str, str], log: Path, cwd: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a child process, and stop it by its id in any case."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, env=_base_environment() | env, cwd=cwd, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def serve_other_site(html: str) -> Iterator[str]:
    """Serve an unrelated website with one page. Yields its URL."""

    def show_page(_environ: object, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [html.encode()]

    server = make_server("127.0.0.1", 0, show_page, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def environment_variables(settings: Settings, port: int) -> dict[str, str]:
    """Return the environment variables from which these settings are read."""
    values = {
        field.name.upper(): getattr(settings, field.name)
        for field in fields(settings)
        if field.name not in {"instance_path", "login_seconds", "port"}
    }
    lists = {name: ",".join(value) for name, value in values.items() if isinstance(value, tuple)}
    return {
        name: str(value) for name, value in (values | lists).items() if value not in (None, "")
    } | {"PORT": str(port)}


def wait_until_answers(
    url: str, child: subprocess.Popen[bytes], seconds: float = 120, verify: str | bool = True
) -> None:
    """Poll a URL until it answers. Raises AssertionError when the child exits first."""
    deadline = time.monotonic() + seconds
    last_error: Exception | None = None
    while time.monotonic() < deadline:
        assert child.poll() is None, f"the server ended with {child.returncode}"
        try:
            requests.get(url, timeout=5, verify=verify)
        except (requests.ConnectionError, requests.Timeout) as error:
            last_error = error
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{url} did not answer in {seconds} s") from last_error


def wait_for_port(port: int, child: subprocess.Popen[bytes], seconds: float = 20) -> None:
    """Wait until the child listens on this port.

    Raises AssertionError when the child exits first.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert child.poll() is None, f"the server ended with {child.returncode}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listened on port {port} in {seconds} s")


def free_port() -> int:
    """Return a port on which nothing listens at the moment.

    It is below the range for outgoing connections. Another program's connection could otherwise
    take the port before it is used.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _format_setting(value: Any, clever_url: str) -> Any:
    return value.replace("{clever}", clever_url) if isinstance(value, str) else value


def _base_environment() -> dict[str, str]:
    """Return an environment without app settings, with the test environment's programs first."""
    variables = {
        name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ
    }
    programs = str(Path(sys.executable).parent)
    return variables | {"PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])}


def _empty_wsgi_app(_environ: object, _start_response: object) -> list[bytes]:
    raise AssertionError("asked before it was ready")


@contextmanager
def restarted(site: Site, folder: Path) -> Iterator[Site]:
    """Start the same app again, as in a rolling restart: old and new workers overlap."""
    port = free_port()
    settings = replace(site.settings, app_url=f"http://localhost:{port}")
    environ = environment_variables(settings, port)
    command = ["gunicorn", "--workers", "2", GUNICORN_APP]
    with run_process(command, environ, folder / "new.log") as child:
        wait_until_answers(f"{settings.app_url}/healthz", child)
        yield replace(site, url=settings.app_url, settings=settings)
