"""The services that every contender uses: one Clever behind one proxy, a Redis, a PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import psycopg
from redis import Redis

from bench.harness.resources import cpu_seconds, parent_pid
from bench.harness.subprocesses import ChildProcess, start_child
from tests.support import certificates, running_app

STATEMENT_LOG_PREFIXES = ("LOG:  statement:", "LOG:  execute ")


@dataclass(frozen=True)
class Stack:
    """The addresses of the services."""

    folder: Path
    ca_bundle: Path
    clever_url: str
    api_url: str
    redis_url: str
    postgres_url: str
    upstream: ChildProcess
    wire: ChildProcess

    def counted(self, **command: Any) -> dict[str, Any]:
        """Returns the counts of upstream and proxy since the last `reset`."""
        return self.upstream.ask(**command) | self.wire.ask(**command)

    def store_commands(self) -> dict[str, int]:
        """Returns the Redis command counts so far, without the commands that open a connection."""
        with Redis.from_url(self.redis_url) as redis:
            stats = redis.info("commandstats")
        begin = {"client|setinfo", "hello", "info", "select", "ping", "config|resetstat"}
        calls_by_command = {
            name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()
        }
        return {name: calls for name, calls in calls_by_command.items() if name not in begin}

    def log_statements(self, on: bool) -> None:
        """Turns PostgreSQL's statement log on or off."""
        with psycopg.connect(self.postgres_url, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET log_statement = '{'all' if on else 'none'}'")
            connection.execute("SELECT pg_reload_conf()")

    def statements(self) -> int:
        """Returns the number of statements in PostgreSQL's log."""
        log = (self.folder / "postgres.log").read_text(errors="replace")
        return sum(log.count(prefix) for prefix in STATEMENT_LOG_PREFIXES)

    def cpu(self) -> dict[str, float]:
        """Returns the CPU seconds so far of each service."""
        with Redis.from_url(self.redis_url) as redis:
            redis_pid = redis.info("server")["process_id"]
        with psycopg.connect(self.postgres_url) as connection:
            postgres_pid = parent_pid(connection.info.backend_pid)
        pids = {
            "Redis": redis_pid,
            "PostgreSQL": postgres_pid,
            "upstream": self.upstream.pid,
            "wire": self.wire.pid,
        }
        return {name: cpu_seconds(pid) for name, pid in pids.items()}


@contextmanager
def start_stack(folder: Path, *, milliseconds: float = 40) -> Iterator[Stack]:
    """Starts all services. A round trip to Clever takes this many milliseconds."""
    certificate = certificates.make_certificate(folder)
    # Clients load their CA certificates for each new connection: the usual number, plus ours.
    bundle = folder / "authorities.pem"
    bundle.write_text(Path(certifi.where()).read_text() + certificate.certificate.read_text())
    port, behind = running_app.free_port(), running_app.free_port()
    # Two origins, as with Clever.
    clever_url, api_url = f"https://localhost:{port}", f"https://127.0.0.1:{port}"
    arguments = {
        "--certificate": certificate.certificate,
        "--key": certificate.key,
        "--issuer": clever_url,
        "--port": behind,
    }
    flat = [str(argument) for pair in arguments.items() for argument in pair]
    with ExitStack() as stack:
        upstream = stack.enter_context(start_child("bench.fake_clever.server", *flat))
        wire = stack.enter_context(
            start_child("bench.harness.latency_proxy", str(port), str(behind), str(milliseconds))
        )
        redis_url = stack.enter_context(running_app.run_redis(folder))
        postgres_url = stack.enter_context(running_app.run_postgres(folder))
        yield Stack(folder, bundle, clever_url, api_url, redis_url, postgres_url, upstream, wire)
