"""The app in two processes that share a store: used codes, and clocks that differ."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from clever_simulator.config import default_config
from clever_simulator.server import running
from tests import copies, sites
from tests.entries import at_the_portal, code_of, launch_tile, to_the_callback, with_code
from tests.sites import ROOT, Site
from tests.visitor import Visitor

pytestmark = pytest.mark.servers


class Router(HTTPAdapter):
    """Sends requests to another address, under the name that the browser sees."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        address = urlsplit(request.url or "")
        request.headers["Host"] = address.netloc
        request.url = urlunsplit(address._replace(netloc=urlsplit(self._url).netloc))
        return super().send(request, *args, **more)


def move(visitor: Visitor, machine: str) -> None:
    """From now on a load balancer sends this browser to the machine at this address."""
    visitor.http.mount(visitor.app_url, Router(machine))


@contextmanager
def two_machines(tmp_path: Path, store: str, *ahead: int) -> Iterator[tuple[Site, list[str]]]:
    """One gunicorn for each number: so many seconds are its clock and this machine's apart."""
    with ExitStack() as stack:
        folder = copies.copy_of_the_app(tmp_path)
        shutil.copy(ROOT / "gunicorn.conf.py", folder)
        redis_url = stack.enter_context(sites.redis_server(tmp_path)) if store == "redis" else None
        clever = stack.enter_context(running())
        ports = [sites.free_port() for _ in ahead]
        urls = [f"http://localhost:{port}" for port in ports]
        settings = sites.settings_for(urls[0], clever.url, tmp_path, redis_url=redis_url)
        clever.configure(default_config(urls[0]))
        command = [sys.executable, "-m", "gunicorn", "--workers", "1", "app:create_app()"]
        for port, url, seconds in zip(ports, urls, ahead, strict=True):
            env = sites.environment(settings, port) | faketime(seconds)
            log = tmp_path / f"gunicorn-{port}.log"
            child = stack.enter_context(sites.process(command, env, log, cwd=folder))
            sites.wait_until_answers(f"{url}/healthz", child)
        yield Site(urls[0], clever, settings), urls


def faketime(seconds: int) -> dict[str, str]:
    """The library only: the program `faketime` does not pass signals on to gunicorn."""
    if not seconds:
        return {}
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{seconds:+}s"}


@pytest.mark.parametrize("store", ["files", "redis"])
def test_a_code_that_one_process_dropped_is_refused_by_another(tmp_path: Path, store: str) -> None:
    with two_machines(tmp_path, store, 0, 0) as (site, machines):
        portal = at_the_portal(site, "student")
        portal.stop_at = "/oauth/callback"
        code = code_of(launch_tile(portal, site).url)
        thief = to_the_callback(site, "teacher")
        portal.stop_at = None
        assert portal.open(f"/oauth/callback?code={code}").role == "student"
        move(thief, machines[1])
        assert thief.open(with_code(thief.url, code)).role == "teacher"
