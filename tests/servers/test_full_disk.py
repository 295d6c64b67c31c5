"""A disk that is full: a page says so, and space is all that it takes to go on."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from clever_simulator.config import default_config
from clever_simulator.server import running
from tests import sites
from tests.copies import copy_of_the_app
from tests.entries import by_button
from tests.servers.test_production import UNSHARE, may_unshare
from tests.sites import Site
from tests.visitor import ask

pytestmark = pytest.mark.servers
MOUNT = 'mount -t tmpfs -o size=1m,mode=0700 tmpfs "$1" && shift && exec "$@"'


def fill(path: Path) -> None:
    """Write until there is no byte left."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


@pytest.mark.parametrize(
    ("sessions", "code", "why"),
    [
        ("on the same disk", "store_unavailable", "database or disk is full"),
        ("in Redis", "database_unavailable", "the disk of the database file is full"),
    ],
)
def test_on_a_full_disk_there_is_a_page_and_afterwards_everything_works(
    tmp_path: Path, sessions: str, code: str, why: str
) -> None:
    """The disk is the app's own, in a mount namespace that only its process sees."""
    if not may_unshare():
        assert os.environ.get("CI") != "true", "run this as root: it needs a mount namespace"
        pytest.skip("needs a mount namespace of its own: run this as root")
    copy = copy_of_the_app(tmp_path)
    instance = copy / "instance"
    instance.mkdir()
    port = sites.free_port()
    url = f"http://localhost:{port}"
    command = [*UNSHARE, "sh", "-c", MOUNT, "sh", str(instance), sys.executable, "-m", "flask"]
    command += ["--app", "app", "run", "--port", str(port)]
    with ExitStack() as stack:
        clever = stack.enter_context(running())
        clever.configure(default_config(url))
        changes = {}
        if sessions == "in Redis":
            changes["redis_url"] = stack.enter_context(sites.redis_server(tmp_path))
        settings = sites.settings_for(url, clever.url, tmp_path, **changes)
        environ = sites.environment(settings, port)
        with sites.process(command, environ, tmp_path / "app.log", cwd=copy) as child:
            sites.wait_until_answers(f"{url}/healthz", child)
            site = Site(url, clever, settings)
            inside = by_button(site, "student")
            assert inside.path == "/dashboard"
            filler = Path(f"/proc/{child.pid}/root{instance}/filler")
            fill(filler)
            coming = by_button(site, "teacher")
            assert (coming.response.status_code, coming.code) == (503, code)
            ready = ask(f"{url}/readyz")
            assert (ready.status_code, why in ready.text) == (503, True), ready.text
            assert ask(f"{url}/healthz").status_code == 200
            filler.unlink()
            assert by_button(site, "teacher").path == "/dashboard"
            assert inside.open("/dashboard").role == "student"
            assert ask(f"{url}/readyz").text == "ready\n"
