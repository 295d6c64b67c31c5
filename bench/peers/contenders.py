"""The contenders, all started with the same server, threads, upstream and proxy."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

from bench.fake_clever import responses
from bench.harness import seed_rosters
from bench.harness.open_loop import Site
from bench.harness.resources import process_tree
from bench.harness.stack import Stack
from tests.support import running_app
from tests.support.running_app import ROOT

MIGRATE_SCRIPT = """
import {module}
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""


@dataclass(frozen=True)
class Contender:
    """One contender: what gunicorn loads, and its login and callback paths."""

    name: str
    label: str
    app: str
    login: str
    callback: str
    prepare: tuple[str, ...] = ()
    own_config: bool = False
    form: bool = False  # whether a login starts with a form
    settings: dict[str, str] = field(default_factory=dict)

    def environment(self, stage: Stack, url: str, postgres_url: str) -> dict[str, str]:
        """Returns the addresses of all services, in the variables that the contender reads."""
        number = sorted(CONTENDERS).index(self.name) + 1
        redis_url = f"{stage.redis_url.rpartition('/')[0]}/{number}"
        settings = {
            "APP_ENV": "development",  # allows another URL for Clever, and changes nothing else
            "APP_URL": url,
            "SECRET_KEY": "0f" * 32,
            "CLEVER_CLIENT_ID": responses.CLIENT_ID,
            "CLEVER_CLIENT_SECRET": responses.CLIENT_SECRET,
            "CLEVER_URL": stage.clever_url,
            "CLEVER_API_URL": stage.api_url,
            "CLEVER_CA_BUNDLE": str(stage.ca_bundle),
            "CLEVER_STATUS_URL": "",
            "REDIS_URL": redis_url,
            "DATABASE_URL": postgres_url,
        }
        peers = {
            "BENCH_URL": url,
            "BENCH_CLEVER": stage.clever_url,
            "BENCH_API": stage.api_url,
            "BENCH_REDIS": redis_url,
            "BENCH_POSTGRES": postgres_url,
            "REQUESTS_CA_BUNDLE": str(stage.ca_bundle),
        }
        return (settings if self.own_config else peers) | self.settings


def _our_app(name: str, label: str, **settings: str) -> Contender:
    prepare = ("-m", "flask", "--app", "app", "clever", "db", "upgrade")
    return Contender(
        name,
        label,
        "app:create_app()",
        "/login",
        "/oauth/callback",
        prepare,
        own_config=True,
        settings=settings,
    )


def _django_app(name: str, label: str, login: str, callback: str) -> Contender:
    module = f"bench.peers.with_{name}"
    migrate = ("-c", MIGRATE_SCRIPT.format(module=module))
    return Contender(name, label, f"{module}:application", login, callback, migrate, form=True)


CONTENDERS = {
    contender.name: contender
    for contender in (
        _our_app("ours", "this app"),
        _our_app("oidc", "this app, ID tokens", CLEVER_CLIENT_ID=responses.OIDC_CLIENT_ID),
        _django_app(
            "allauth",
            f"django-allauth {version('django-allauth')}",
            "/accounts/clever/login/",
            "/accounts/clever/login/callback/",
        ),
        _django_app(
            "social_auth",
            f"social-auth-core {version('social-auth-core')}",
            "/social/login/clever/",
            "/social/complete/clever/",
        ),
        Contender(
            "authlib",
            f"Flask and Authlib {version('Authlib')}",
            "bench.peers.with_authlib:app",
            "/login",
            "/callback",
        ),
        Contender("bare", "floor: plain calls", "bench.peers.bare:app", "/login", "/callback"),
        Contender("hello", "hello world", "bench.peers.hello:app", "/login", ""),
    )
}


@dataclass(frozen=True)
class RunningContender:
    """A running contender."""

    contender: Contender
    url: str
    pid: int
    start_seconds: float
    environment: dict[str, str]
    others: tuple[int, ...] = ()  # more of the same, behind one proxy
    proxy: int | None = None

    @property
    def site(self) -> Site:
        """The site to log in to."""
        contender = self.contender
        return Site(
            self.url, contender.login, contender.callback, "POST" if contender.form else "GET"
        )

    @property
    def workers(self) -> list[int]:
        """The worker processes."""
        return process_tree(self.pid)[1:]


@contextmanager
def run_contender(
    stage: Stack,
    contender: Contender,
    *,
    workers: int = 1,
    url: Callable[[int], str] = "http://localhost:{}".format,
    postgres_url: str | None = None,
) -> Iterator[RunningContender]:
    """Runs gunicorn with this many workers. `url` maps its port to its URL, behind a proxy."""
    port = running_app.free_port()
    address = url(port)
    own_database = postgres_url is None
    postgres_url = postgres_url or running_app.new_database(stage.postgres_url)
    variables = contender.environment(stage, address, postgres_url) | {"PORT": str(port)}
    if contender.prepare:
        inherited = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        command = [sys.executable, *contender.prepare]
        subprocess.run(
            command, check=True, cwd=ROOT, env=inherited | variables, capture_output=True
        )
    if contender.own_config and own_database:
        seed_rosters.seed_database(postgres_url)
    config = "gunicorn.conf.py" if contender.own_config else "bench/peers/gunicorn_conf.py"
    command = [sys.executable, "-m", "gunicorn", "--config", config, "--workers", str(workers)]
    command += ["--bind", f"127.0.0.1:{port}", contender.app]
    log = stage.folder / f"{contender.name}.log"
    began = time.perf_counter()
    with running_app.run_process(command, variables, log) as child:
        running_app.wait_until_answers(f"http://127.0.0.1:{port}/healthz", child)
        seconds = time.perf_counter() - began
        yield RunningContender(contender, address, child.pid, seconds, variables)
