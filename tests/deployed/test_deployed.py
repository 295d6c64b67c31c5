"""Tests the app as deployed: Procfile, gunicorn, Redis."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from clever_simulator.config import default_config
from tests.support import certificates, gunicorn, running_app
from tests.support.browser_client import send_request
from tests.support.fresh_checkout import copy_app
from tests.support.login_flows import by_button, by_portal, stop_before_callback
from tests.support.reference_app import GUNICORN_APP
from tests.support.running_app import ROOT, Site
from tests.support.simulators import run_in_background

pytestmark = pytest.mark.servers


def test_the_procfile_starts_the_app_with_only_the_documented_variables(tmp_path: Path) -> None:
    port = running_app.free_port()
    url = f"http://localhost:{port}"
    documented = {
        line.split("=")[0].lstrip("# ")
        for line in (ROOT / ".env.example").read_text().splitlines()
        if "=" in line
    }
    folder = copy_app(tmp_path)
    for name in ("Procfile", "gunicorn.conf.py"):
        shutil.copy(ROOT / name, folder)
    with run_in_background() as clever:
        settings = running_app.settings_for(url, clever.url, tmp_path)
        clever.configure(default_config(url))
        env = running_app.environment_variables(settings, port)
        assert set(env) <= documented
        env["GUNICORN_CMD_ARGS"] = f"--bind 127.0.0.1:{port} --access-logfile -"
        command = [sys.executable, "-m", "honcho", "start", "--no-prefix"]
        with running_app.run_process(
            [*command, "release"], env, tmp_path / "release.log", cwd=folder
        ) as release:
            assert release.wait(30) == 0
        log = tmp_path / "honcho.log"
        with running_app.run_process([*command, "web"], env, log, cwd=folder) as child:
            running_app.wait_until_answers(f"{url}/healthz", child)
            visitor = by_portal(Site(url, clever, settings), "student")
            assert visitor.path == "/dashboard"
        text = log.read_text()
        assert "GET /oauth/callback 303" in text
        assert "code=" not in text
        assert "state=" not in text


def test_gunicorn_exits_with_the_list_of_wrong_settings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", GUNICORN_APP]
    log = tmp_path / "gunicorn.log"
    with running_app.run_process(command, {"SECRET_KEY": "short"}, log) as child:
        assert child.wait(20) == 3
    text = log.read_text()
    assert "SECRET_KEY is too easy to guess" in text
    assert "CLEVER_CLIENT_ID is missing" in text
    assert "Traceback" not in text


def test_another_process_on_the_same_redis_shares_the_session(tmp_path: Path) -> None:
    with running_app.run_gunicorn_with_redis(tmp_path) as site:
        visitor = by_button(site, "student")
        port = int(site.url.rpartition(":")[2])
        other = running_app.free_port()
        command = [sys.executable, "-m", "gunicorn", GUNICORN_APP]
        command += ["--bind", f"127.0.0.1:{other}"]
        env = running_app.environment_variables(site.settings, port)
        with running_app.run_process(command, env, tmp_path / "other.log") as child:
            running_app.wait_until_answers(f"http://127.0.0.1:{other}/healthz", child)
            cookies = {c.name: c.value or "" for c in visitor.http.cookies if "local" in c.domain}
            response = send_request(
                f"http://127.0.0.1:{other}/dashboard",
                headers={"Host": f"localhost:{port}"},
                cookies=cookies,
            )
    assert response.status_code == 200
    assert site.person("student").name.full in response.text


def test_values_in_redis_are_encrypted_and_expire(tmp_path: Path) -> None:
    from redis import Redis

    with running_app.run_gunicorn_with_redis(tmp_path) as site:
        visitor = by_button(site, "student")
        person = site.person("student")
        redis = Redis.from_url(str(site.settings.redis_url))
        keys: list[Any] = redis.keys("*")
        cookie = visitor.http.cookies.get("session", domain="localhost.local") or ""
        assert len(keys) == 4  # the session, the used state, the ended session, and the used code
        for key in keys:
            value: Any = redis.get(key)
            dumped = key + value
            assert 0 < redis.ttl(key) <= 30 * 60  # none outlives the session
            for secret in (person.name.last, str(person.email), person.id, cookie):
                assert secret.encode() not in dumped
        redis.close()


@pytest.mark.parametrize("verify", [True, False])
def test_a_redis_with_a_self_signed_certificate_needs_an_explicit_setting(
    tmp_path: Path, verify: bool
) -> None:
    certificate = certificates.make_certificate(tmp_path)
    with ExitStack() as stack:
        url = stack.enter_context(running_app.run_redis(tmp_path, certificate))
        site = stack.enter_context(
            running_app.run_in_process(tmp_path, redis_url=url, redis_tls_verify=verify)
        )
        assert send_request(f"{site.url}/readyz").status_code == (503 if verify else 200)
        if not verify:
            assert by_button(site, "student").path == "/dashboard"


def test_without_redis_an_error_page_comes_at_once_and_nobody_is_logged_in(tmp_path: Path) -> None:
    port = running_app.free_port()
    url = f"http://localhost:{port}"
    with run_in_background() as clever:
        clever.configure(default_config(url))
        with running_app.run_redis(tmp_path) as redis_url:
            settings = running_app.settings_for(url, clever.url, tmp_path, redis_url=redis_url)
            site = Site(url, clever, settings)
            command = [sys.executable, "-m", "gunicorn", GUNICORN_APP]
            command += ["--bind", f"127.0.0.1:{port}"]
            started = running_app.run_process(
                command, running_app.environment_variables(settings, port), tmp_path / "g.log"
            )
            child = started.__enter__()
            running_app.wait_until_answers(f"{url}/healthz", child)
            visitor = by_button(site, "student")
        try:
            began = time.monotonic()
            visitor.open("/dashboard")
            assert time.monotonic() - began < 5
            assert (visitor.response.status_code, visitor.code) == (503, "store_unavailable")
            assert send_request(f"{url}/healthz").status_code == 200
            assert send_request(f"{url}/readyz").status_code == 503
            stranger = site.visitor().open("/login").click(site.person("teacher").district.name)
            stranger.press("Log in", username="teacher", password="clever")
            assert stranger.response.status_code == 503
            assert not stranger.http.cookies.get("session", domain="localhost.local")
        finally:
            started.__exit__(None, None, None)


def test_under_overload_a_new_login_is_refused_and_asked_to_retry(tmp_path: Path) -> None:
    """Logins in progress and signed-in users are served late, without keep-alive connections."""
    threads_of_it = 4
    with running_app.run_gunicorn_with_redis(
        tmp_path, workers=1, options=("--threads", str(threads_of_it))
    ) as site:
        crowd = [stop_before_callback(site, "sparse") for _ in range(threads_of_it)]
        teacher, returning, stranger = (
            by_button(site, "teacher"),
            stop_before_callback(site, "student"),
            site.visitor(),
        )
        site.clever.add_fault("token", times=0, delay_s=3.5)
        with ThreadPoolExecutor(threads_of_it + 3) as threads:
            first = [threads.submit(visitor.open, visitor.url) for visitor in crowd]
            time.sleep(0.8)
            site.clever.clear_faults()
            lie = {"X-Waited-Seconds": "0"}
            later = [threads.submit(stranger.open, "/login", **lie)]
            later += [
                threads.submit(teacher.open, "/dashboard"),
                threads.submit(returning.open, returning.url),
            ]
            for future in (*first, *later):
                future.result(20)
        assert {visitor.role for visitor in (*crowd, returning)} == {"student"}
        assert teacher.role == "teacher"
        assert teacher.response.headers["Connection"] == "close"
        assert (stranger.response.status_code, stranger.code) == (503, "crowded")
        assert stranger.response.headers["Retry-After"] == "60"
        assert "Many people are logging in" in stranger.text
        assert stranger.open("/login").response.status_code == 200


def test_a_class_that_queues_briefly_does_not_trigger_load_shedding(tmp_path: Path) -> None:
    with running_app.run_gunicorn_with_redis(
        tmp_path, workers=1, options=("--threads", "1")
    ) as site:
        # On a busy machine even thirty visitors are an overload, so there are several attempts.
        assert any(statuses_of_a_class(site) == {200} for _ in range(5))


def statuses_of_a_class(site: Site) -> set[int]:
    """Return the statuses for thirty visitors who arrive while the only thread waits for Clever."""
    first_visitor = stop_before_callback(site, "sparse")
    children = [site.visitor() for _ in range(30)]
    site.clever.add_fault("token", times=0, delay_s=1)
    with ThreadPoolExecutor(1 + len(children)) as threads:
        first = threads.submit(first_visitor.open, first_visitor.url)
        time.sleep(0.3)
        site.clever.clear_faults()
        later = [threads.submit(child.open, "/login") for child in children]
        for future in (first, *later):
            future.result(60)
    return {child.response.status_code for child in children}


def test_app_json_names_only_existing_settings() -> None:
    names = set(json.loads((ROOT / "app.json").read_text())["env"])
    sample = (ROOT / ".env.example").read_text()
    assert all(f"{name}=" in sample for name in names)


class LateReply:
    """A proxy in front of Redis that delays the reply to one claim until the client times out."""

    def __init__(self) -> None:
        self.kept_back = 0

    @contextmanager
    def before(self, port: int) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self._accept, args=(listener, port), daemon=True).start()
            yield int(listener.getsockname()[1])
            listener.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket, port: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=(client, port), daemon=True).start()

    def _serve(self, client: socket.socket, port: int) -> None:
        redis = socket.create_connection(("127.0.0.1", port))
        with client, redis, contextlib.suppress(OSError):
            while command := client.recv(65536):
                redis.sendall(command)
                reply = redis.recv(65536)
                if b"state-" in command and b"NX" in command and not self.kept_back:
                    self.kept_back += 1
                    time.sleep(1.5)
                client.sendall(reply)


def test_a_one_time_key_belongs_to_its_caller_even_when_the_reply_is_late(
    tmp_path: Path,
) -> None:
    """The client retries. It must recognize its own earlier claim."""
    late = LateReply()
    with ExitStack() as stack:
        url = stack.enter_context(running_app.run_redis(tmp_path))
        port = stack.enter_context(late.before(int(url.rpartition(":")[2].partition("/")[0])))
        redis_url = f"redis://127.0.0.1:{port}/0"
        site = stack.enter_context(running_app.run_in_process(tmp_path, redis_url=redis_url))
        assert by_button(site, "student").path == "/dashboard"
        assert late.kept_back == 1
        exchanges = [request["path"] for request in site.clever.received_requests()].count(
            "/oauth/tokens"
        )
        assert exchanges == 1


HOSTILE = {
    "two lengths": "POST /logout HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n"
    "Content-Length: 4\r\n\r\nabcd",
    "length and chunks": "POST /logout HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\n"
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "a folded header": "GET / HTTP/1.1\r\nHost: {host}\r\nX-A: b\r\n c\r\n\r\n",
    "a bad chunk": "POST /logout HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    "zz\r\nabc\r\n0\r\n\r\n",
    "an unknown coding": "POST /logout HTTP/1.1\r\nHost: {host}\r\n"
    "Transfer-Encoding: gzip, evil\r\n\r\nabc",
    "a space before the colon": "GET / HTTP/1.1\r\nHost: {host}\r\nX-A : b\r\n\r\n",
}


def test_ambiguously_framed_requests_are_refused(tmp_path: Path) -> None:
    with running_app.run_gunicorn_with_redis(tmp_path) as site:
        host = site.url.removeprefix("http://")
        for name, text in HOSTILE.items():
            with socket.create_connection(("127.0.0.1", int(host.partition(":")[2]))) as raw:
                raw.settimeout(10)
                raw.sendall(text.format(host=host).encode())
                received = b""
                with contextlib.suppress(TimeoutError, ConnectionError):
                    while data := raw.recv(65536):
                        received += data
            statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", received)]
            # Logged-out visitors get a 303 before any of the body is read.
            refused = [status for status in statuses if status != 303]
            assert refused, name
            assert min(refused) >= 400, name


def test_gunicorn_refuses_a_certificate_and_the_documented_alternative_works(
    tmp_path: Path,
) -> None:
    certificate = certificates.make_certificate(tmp_path)
    with_tls = ("--certfile", str(certificate.certificate), "--keyfile", str(certificate.key))
    port = running_app.free_port()
    url = f"https://localhost:{port}"
    env = running_app.environment_variables(
        running_app.settings_for(url, "http://127.0.0.1:9", tmp_path), port
    )
    bind = ("--bind", f"127.0.0.1:{port}")
    log = tmp_path / "refused.log"
    with running_app.run_process(gunicorn.command(*bind, *with_tls), env, log) as child:
        assert child.wait(30) == 1
    assert "add --worker-class gthread" in log.read_text()
    assert "Traceback" not in log.read_text()
    text = (ROOT / "docs" / "certification.md").read_text()
    assert "--worker-class gthread --certfile localhost.pem --keyfile localhost-key.pem" in text
    command = gunicorn.command(*bind, "--worker-class", "gthread", *with_tls)
    with running_app.run_process(command, env, tmp_path / "gthread.log") as child:
        running_app.wait_until_answers(f"{url}/healthz", child, verify=str(certificate.certificate))
        assert send_request(f"{url}/healthz", verify=str(certificate.certificate)).text == "ok\n"
