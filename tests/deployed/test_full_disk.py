"""Tests that a full disk gives an error page, and that freeing space is enough to recover."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from clever_simulator.config import default_config
from tests.deployed.test_production import UNSHARE, may_unshare
from tests.support import running_app
from tests.support.browser_client import send_request
from tests.support.fresh_checkout import copy_app
from tests.support.login_flows import by_button
from tests.support.running_app import Site
from tests.support.simulators import run_in_background

pytestmark = pytest.mark.servers
MOUNT = 'mount -t tmpfs -o size=1m,mode=0700 tmpfs "$1" && shift && exec "$@"'


def fill(path: Path) -> None:
    """Fill the disk to the last byte."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


@pytest.mark.parametrize(
    ("sessions", "code", "cause"),
    [
        ("on the same disk", "store_unavailable", "database or disk is full"),
        ("in Redis", "database_unavailable", "the disk of the database file is full"),
    ],
)
def test_a_full_disk_shows_an_error_page_and_the_app_recovers(
    tmp_path: Path, sessions: str, code: str, cause: str
) -> None:
    """The disk is mounted in a mount namespace that only the app's process sees."""
    if not may_unshare():
        assert os.environ.get("CI") != "true", "run this as root: it needs a mount namespace"
        pytest.skip("needs a mount namespace of its own: run this as root")
    copy = copy_app(tmp_path)
    instance = copy / "instance"
    instance.mkdir()
    port = running_app.free_port()
    url = f"http://localhost:{port}"
    command = [*UNSHARE, "sh", "-c", MOUNT, "sh", str(instance), sys.executable, "-m", "flask"]
    command += ["--app", "app", "run", "--port", str(port)]
    with ExitStack() as stack:
        clever = stack.enter_context(run_in_background())
        clever.configure(default_config(url))
        changes = {}
        if sessions == "in Redis":
            changes["redis_url"] = stack.enter_context(running_app.run_redis(tmp_path))
        settings = running_app.settings_for(url, clever.url, tmp_path, **changes)
        environ = running_app.environment_variables(settings, port)
        with running_app.run_process(command, environ, tmp_path / "app.log", cwd=copy) as child:
            running_app.wait_until_answers(f"{url}/healthz", child)
            site = Site(url, clever, settings)
            student = by_button(site, "student")
            assert student.path == "/dashboard"
            filler = Path(f"/proc/{child.pid}/root{instance}/filler")
            fill(filler)
            failed_login = by_button(site, "teacher")
            assert (failed_login.response.status_code, failed_login.code) == (503, code)
            ready = send_request(f"{url}/readyz")
            assert (ready.status_code, cause in ready.text) == (503, True), ready.text
            assert send_request(f"{url}/healthz").status_code == 200
            filler.unlink()
            assert by_button(site, "teacher").path == "/dashboard"
            assert student.open("/dashboard").role == "student"
            assert send_request(f"{url}/readyz").text == "ready\n"
