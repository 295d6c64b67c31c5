"""Tests with a Redis that is small, full, silent, or misconfigured: 503 and the cause."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clever_login.web.health import FRESH_SECONDS
from tests.support import certificates, running_app
from tests.support.browser_client import Visitor, send_request
from tests.support.login_flows import by_button, stop_before_callback
from tests.support.port_forwarder import forwarding
from tests.support.running_app import Site

pytestmark = pytest.mark.servers
PLAN = 20  # connections of the smallest plan named in the documents
VISITORS = 40


def burst(visitors: list[Visitor], path: str | None = None) -> list[int]:
    """Send all visitors' requests at the same time. Returns the statuses."""
    with ThreadPoolExecutor(len(visitors)) as threads:
        list(threads.map(lambda visitor: visitor.open(path or visitor.url), visitors))
    return [visitor.response.status_code for visitor in visitors]


@contextmanager
def pausing(redis_url: str) -> Iterator[None]:
    """Pause Redis repeatedly for half a second, so that requests wait in it at the same time."""
    stop = threading.Event()

    def pause() -> None:
        with Redis.from_url(redis_url) as admin:
            while not stop.is_set():
                admin.client_pause(500)
                time.sleep(0.8)

    thread = threading.Thread(target=pause)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def signed_in(site: Site) -> list[Visitor]:
    """Return many browsers with the session of one user."""
    student = by_button(site, "student")
    visitors = [site.visitor() for _ in range(VISITORS)]
    for visitor in visitors:
        visitor.http.cookies.update(student.http.cookies)
    return visitors


def test_20_redis_connections_are_enough_for_a_burst_a_restart_and_a_sync(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        options = ("--maxclients", str(PLAN))
        site = stack.enter_context(running_app.run_gunicorn_with_redis(tmp_path, redis=options))
        browsers = signed_in(site)
        pending_logins = [stop_before_callback(site, "student") for _ in range(VISITORS)]
        new = stack.enter_context(running_app.restarted(site, tmp_path))
        clients = [Redis.from_url(str(site.settings.redis_url)) for _ in range(2)]
        for other in clients:  # a sync and the doctor, beside the client that pauses Redis
            stack.callback(other.close)
            other.ping()
        with pausing(str(site.settings.redis_url)), ThreadPoolExecutor(3) as threads:
            pages = threads.submit(burst, browsers, "/dashboard")
            readiness = threads.submit(
                lambda: [send_request(f"{new.url}/readyz").status_code for _ in range(VISITORS)]
            )
            logins = threads.submit(burst, pending_logins)
        assert set(pages.result()) == {200}
        assert set(logins.result()) == {200}
        assert set(readiness.result()) == {200}
        assert {visitor.path for visitor in pending_logins} == {"/dashboard"}
        assert by_button(site, "teacher").path == "/dashboard"


@pytest.mark.parametrize("times", [2, pytest.param(6, marks=pytest.mark.long)])
def test_a_burst_stays_within_20_redis_connections_and_logins_work_after_it(
    tmp_path: Path, times: int
) -> None:
    """80 or 240 requests at once, of which some may get a 503.

    On a busy machine, a worker may give up a connection that Redis has not closed yet, and Redis
    may reject the next one. The worker then tries again.
    """
    with ExitStack() as stack:
        options = ("--maxclients", str(PLAN))
        site = stack.enter_context(running_app.run_gunicorn_with_redis(tmp_path, redis=options))
        admin = stack.enter_context(Redis.from_url(str(site.settings.redis_url)))
        browsers = [browser for _ in range(times) for browser in signed_in(site)]
        statuses = Counter(burst(browsers, "/dashboard"))
        assert statuses[200] + statuses[503] == len(browsers)
        assert statuses[200] > len(browsers) / 2
        for user_name in ("student", "teacher", "school_admin", "district_admin"):
            assert by_button(site, user_name).path == "/dashboard"
        of_workers = redis_info(admin, "clients")["connected_clients"] - 1
        assert 0 < of_workers <= 2 * site.settings.worker_redis_connections


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_the_app_waits_for_a_free_redis_connection_and_recovers_without_a_restart(
    tmp_path: Path, tls: bool
) -> None:
    """Two connections are available to an app that may open four."""
    with ExitStack() as stack:
        certificate = certificates.make_certificate(tmp_path) if tls else None
        redis_options = ("--maxclients", str(PLAN))
        url = stack.enter_context(running_app.run_redis(tmp_path, certificate, redis_options))
        site = stack.enter_context(
            running_app.run_in_process(tmp_path, redis_url=url, redis_tls_verify=False)
        )
        options: dict[str, Any] = {"ssl_cert_reqs": None, "ssl_check_hostname": False}
        options = options if tls else {}
        clients = [Redis.from_url(url, **options) for _ in range(PLAN - 2)]
        for other in clients:
            stack.callback(other.close)
            other.ping()
        visitors = signed_in(site)[:30]
        assert set(burst(visitors, "/dashboard")) == {200}
        assert by_button(site, "teacher").path == "/dashboard"


def test_a_burst_waits_for_a_slow_redis_as_long_as_it_answers(tmp_path: Path) -> None:
    """All connections are busy for four seconds. For a silent Redis the timeout is two."""
    with ExitStack() as stack:
        port = port_of(stack.enter_context(running_app.run_redis(tmp_path)))
        forwarder = stack.enter_context(forwarding(port))
        url = f"redis://127.0.0.1:{forwarder.port}/0"
        site = stack.enter_context(
            running_app.run_in_process(tmp_path, redis_url=url, redis_connections=1)
        )
        visitors = signed_in(site)[:20]
        forwarder.delay = 0.1
        assert set(burst(visitors, "/dashboard")) == {200}


def test_a_redis_at_its_client_limit_is_named_in_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(
            running_app.run_redis(tmp_path, options=("--maxclients", str(PLAN)))
        )
        site = stack.enter_context(running_app.run_in_process(tmp_path, redis_url=url))
        clients = [Redis.from_url(url) for _ in range(PLAN)]
        for other in clients:
            stack.callback(other.close)
            other.ping()
        response = send_request(f"{site.url}/dashboard", cookies={"session": "of-somebody"})
        assert response.status_code == 503
        assert "store_unavailable" in response.text
        assert "max number of clients reached" in reasons(capfd)
        clients[0].close()
        assert by_button(site, "student").path == "/dashboard"


def reasons(capfd: pytest.CaptureFixture[str]) -> str:
    """Return the reasons of the failures in the log."""
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    return "\n".join(str(json.loads(line).get("reason", "")) for line in lines)


def redis_info(admin: Redis, section: str) -> dict[str, Any]:
    """Return a section of Redis's INFO."""
    info: Any = admin.info(section)
    return dict(info)


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


@contextmanager
def silent(admin: Redis) -> Iterator[None]:
    process = redis_info(admin, "server")["process_id"]
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@contextmanager
def read_only(admin: Redis) -> Iterator[None]:
    admin.replicaof("127.0.0.1", 1)
    try:
        yield
    finally:
        admin.replicaof("NO", "ONE")


@contextmanager
def full(admin: Redis) -> Iterator[None]:
    admin.config_set("maxmemory", 1)
    try:
        yield
    finally:
        admin.config_set("maxmemory", 0)


@contextmanager
def unable_to_save(admin: Redis) -> Iterator[None]:
    setting: Any = admin.config_get("dir")
    folder = Path(setting["dir"]) / "a folder where the file should be"
    folder.mkdir()
    admin.config_set("dbfilename", folder.name)
    admin.config_set("save", "3600 1")
    admin.bgsave()
    wait_until(lambda: redis_info(admin, "persistence")["rdb_last_bgsave_status"] == "err")
    try:
        yield
    finally:
        admin.config_set("save", "")
        admin.config_set("dbfilename", "dump.rdb")


@contextmanager
def wanting_a_password(admin: Redis) -> Iterator[None]:
    admin.config_set("requirepass", "another")
    admin.client_kill_filter(_type="normal", skipme=True)
    try:
        yield
    finally:
        admin.config_set("requirepass", "")


@contextmanager
def without_permission(admin: Redis) -> Iterator[None]:
    admin.acl_setuser("default", enabled=True, nopass=True, commands=["-set"])
    try:
        yield
    finally:
        admin.acl_setuser("default", enabled=True, nopass=True, commands=["+set"])


@contextmanager
def loading(admin: Redis) -> Iterator[None]:
    admin.config_set("key-load-delay", 2000)  # microseconds
    admin.config_set("loading-process-events-interval-bytes", 1024)
    admin.mset({f"filler-{number}": b"x" * 2000 for number in range(1500)})
    port = int(admin.connection_pool.connection_kwargs["port"])
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(b"DEBUG RELOAD\r\n")  # answers when it is done
        wait_until(lambda: redis_info(admin, "persistence")["loading"])
        yield
        wait_until(lambda: not redis_info(admin, "persistence")["loading"])


Sick = Callable[[Redis], AbstractContextManager[None]]
SICK: dict[str, Sick] = {
    "did not answer in time": silent,
    "(READONLY)": read_only,
    "(OOM)": full,
    "(MISCONF)": unable_to_save,
    "(NOAUTH)": wanting_a_password,
    "(NOPERM)": without_permission,
    "(LOADING)": loading,
}


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("redis")
    local = ("--enable-debug-command", "local", "--enable-protected-configs", "local")
    with running_app.run_redis(folder, options=local) as url:
        yield url


@pytest.mark.parametrize("cause", list(SICK))
def test_a_redis_that_cannot_serve_gives_503_with_its_cause_until_it_can(
    tmp_path: Path, redis_url: str, capfd: pytest.CaptureFixture[str], cause: str
) -> None:
    with (
        running_app.run_in_process(tmp_path, redis_url=redis_url) as site,
        Redis.from_url(redis_url) as admin,
    ):
        student, pending_login = by_button(site, "student"), stop_before_callback(site, "teacher")
        assert send_request(f"{site.url}/readyz").status_code == 200
        time.sleep(FRESH_SECONDS)  # for as long as "ready" is cached
        began = time.monotonic()
        with SICK[cause](admin):
            pending_login.open(pending_login.url)
            assert (pending_login.response.status_code, pending_login.code) == (
                503,
                "store_unavailable",
            )
            ready = send_request(f"{site.url}/readyz")
            assert (ready.status_code, cause in ready.text) == (503, True), ready.text
            assert send_request(f"{site.url}/healthz").status_code == 200
            assert time.monotonic() - began < 15
        assert cause in reasons(capfd)
        assert student.open("/dashboard").role == "student"
        assert by_button(site, "teacher").path == "/dashboard"
        assert send_request(f"{site.url}/readyz").status_code == 200


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def test_after_a_failover_no_connection_to_the_former_primary_remains(tmp_path: Path) -> None:
    with ExitStack() as stack:
        folders = [tmp_path / "old", tmp_path / "new"]
        for folder in folders:
            folder.mkdir()
        old, new = (stack.enter_context(running_app.run_redis(folder)) for folder in folders)
        forwarder = stack.enter_context(forwarding(port_of(old)))
        url = f"redis://127.0.0.1:{forwarder.port}/0"
        site = stack.enter_context(running_app.run_in_process(tmp_path, redis_url=url))
        assert by_button(site, "student").path == "/dashboard"
        forwarder.target = port_of(new)
        admin = stack.enter_context(Redis.from_url(old))
        admin.replicaof("127.0.0.1", port_of(new))
        assert send_request(f"{site.url}/readyz").status_code == 503
        assert by_button(site, "teacher").path == "/dashboard"
        assert send_request(f"{site.url}/readyz").status_code == 200
