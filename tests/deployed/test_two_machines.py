"""Tests the app in two processes with a shared store: used codes, and clocks that differ."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from redis import Redis
from requests.adapters import HTTPAdapter

from clever_simulator.config import default_config
from tests.support import fresh_checkout, running_app
from tests.support.browser_client import Visitor, send_request
from tests.support.login_flows import (
    at_the_portal,
    by_button,
    code_of,
    exchanges,
    launch_tile,
    stop_before_callback,
    with_code,
)
from tests.support.running_app import ROOT, Site
from tests.support.simulators import run_in_background

pytestmark = pytest.mark.servers


class Router(HTTPAdapter):
    """Sends requests to another address, with the host name that the browser sees."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        address = urlsplit(request.url or "")
        request.headers["Host"] = address.netloc
        request.url = urlunsplit(address._replace(netloc=urlsplit(self._url).netloc))
        return super().send(request, *args, **kwargs)


def route_to(visitor: Visitor, machine: str) -> None:
    """Route this browser to the machine at this address from now on, as a load balancer does."""
    visitor.http.mount(visitor.app_url, Router(machine))


@contextmanager
def machines(
    tmp_path: Path, store: str, *ahead: int, **changes: Any
) -> Iterator[tuple[Site, list[str]]]:
    """Run one gunicorn per number, with its clock ahead of this machine's by that many seconds."""
    with ExitStack() as stack:
        folder = fresh_checkout.copy_app(tmp_path)
        shutil.copy(ROOT / "gunicorn.conf.py", folder)
        redis_url = (
            stack.enter_context(running_app.run_redis(tmp_path)) if store == "redis" else None
        )
        clever = stack.enter_context(run_in_background())
        ports = [running_app.free_port() for _ in ahead]
        urls = [f"http://localhost:{port}" for port in ports]
        database_url = (
            running_app.new_database_with_tables(
                stack.enter_context(running_app.run_postgres(tmp_path))
            )
            if store == "postgresql"
            else None
        )
        changes = {"redis_url": redis_url, "database_url": database_url, **changes}
        settings = running_app.settings_for(urls[0], clever.url, tmp_path, **changes)
        clever.configure(default_config(urls[0]))
        command = [sys.executable, "-m", "gunicorn", "--workers", "1", "app:create_app()"]
        for port, url, seconds in zip(ports, urls, ahead, strict=True):
            env = running_app.environment_variables(settings, port) | faketime(seconds)
            log = tmp_path / f"gunicorn-{port}.log"
            child = stack.enter_context(running_app.run_process(command, env, log, cwd=folder))
            running_app.wait_until_answers(f"{url}/healthz", child)
        yield Site(urls[0], clever, settings), urls


def faketime(seconds: int) -> dict[str, str]:
    """Return the environment that loads libfaketime.

    The program `faketime` does not pass signals on to gunicorn.
    """
    if not seconds:
        return {}
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{seconds:+}s"}


# That machines share files, the next test shows in every run.
@pytest.mark.parametrize(
    "store", [pytest.param("files", marks=pytest.mark.long), "redis", "postgresql"]
)
def test_a_code_dropped_by_one_process_is_refused_by_another(tmp_path: Path, store: str) -> None:
    with machines(tmp_path, store, 0, 0) as (site, urls):
        portal = at_the_portal(site, "student")
        portal.stop_at = "/oauth/callback"
        code = code_of(launch_tile(portal, site).url)
        thief = stop_before_callback(site, "teacher")
        portal.stop_at = None
        assert portal.open(f"/oauth/callback?code={code}").role == "student"
        route_to(thief, urls[1])
        assert thief.open(with_code(thief.url, code)).role == "teacher"


@pytest.mark.parametrize("store", ["files", "redis", "postgresql"])
def test_a_callback_that_reaches_two_machines_at_once_makes_one_exchange(
    tmp_path: Path, store: str
) -> None:
    with machines(tmp_path, store, 0, 0) as (site, urls), ThreadPoolExecutor() as threads:
        visitor = stop_before_callback(site, "student")
        site.clever.add_fault("me", delay_s=2)
        url, cookies = visitor.url, dict(visitor.http.cookies)
        first = threads.submit(send_request, url, cookies=cookies)
        while not exchanges(site):
            time.sleep(0.01)
        host = {"Host": urlsplit(url).netloc}
        second = send_request(url.replace(urls[0], urls[1]), cookies=cookies, headers=host)
        assert "session=" in str(first.result().raw.headers)
        assert "session=" not in str(second.raw.headers)
        assert exchanges(site) == 1


def clock_of(url: str) -> float:
    """Return a machine's clock in seconds since 1970."""
    response = send_request(f"{url}/healthz", headers={"Host": "localhost"})
    return parsedate_to_datetime(response.headers["Date"]).timestamp()


@pytest.mark.parametrize("store", ["redis", pytest.param("postgresql", marks=pytest.mark.long)])
def test_clocks_that_differ_by_almost_two_minutes_break_neither_logins_nor_sessions(
    tmp_path: Path, store: str
) -> None:
    oidc: dict[str, Any] = {"clever_client_id": "simulator-oidc", "clever_oidc": True}
    with machines(tmp_path, store, 0, 110, -110, session_idle_minutes=1, **oidc) as (site, urls):
        local, ahead, behind = urls
        assert clock_of(ahead) - clock_of(local) > 100  # otherwise the test proves nothing
        assert clock_of(local) - clock_of(behind) > 100
        for begins, ends in ((ahead, local), (local, ahead), (behind, local), (local, behind)):
            visitor = site.visitor()
            route_to(visitor, begins)
            stop_before_callback(site, "student", visitor)
            request_count = len(site.clever.received_requests())
            route_to(visitor, ends)
            assert visitor.open(visitor.url).role == "student"
            assert (
                site.clever.received_requests()[request_count]["path"] == "/oauth/tokens"
            )  # and no restart
            route_to(visitor, begins)
            assert visitor.open("/dashboard").role == "student"


def test_activity_counts_on_a_machine_whose_clock_is_behind(tmp_path: Path) -> None:
    with (
        machines(tmp_path, "redis", 110, 0, session_idle_minutes=1) as (site, urls),
        Redis.from_url(str(site.settings.redis_url)) as redis,
    ):
        visitor = by_button(site, "student")
        (key,) = redis.scan_iter(match="session-*")
        redis.expire(key, 20)  # forty seconds pass for the store
        route_to(visitor, urls[1])
        assert visitor.open("/dashboard").role == "student"
        assert int(str(redis.ttl(key))) > 20
