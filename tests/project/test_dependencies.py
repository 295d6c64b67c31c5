"""Tests the dependencies (pinned, hashed, recent enough) and gunicorn's configuration."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys

from clever_login.auth.load_shedding import MAX_CONCURRENT_LOGINS
from clever_login.auth.pending_logins import MAX_WAITING_REPEATS
from tests.support import reference_app
from tests.support.running_app import ROOT

# The first versions without the vulnerabilities known today.
FLOORS = {
    "authlib": (1, 9, 0),
    "flask": (3, 1, 3),
    "gunicorn": (22, 0, 0),
    "jinja2": (3, 1, 6),
    "joserfc": (1, 7, 4),
    "requests": (2, 33, 0),
    "urllib3": (2, 8, 0),
    "werkzeug": (3, 1, 9),
}


def test_no_dependency_is_older_than_its_known_vulnerabilities() -> None:
    text = (ROOT / "requirements.txt").read_text()
    pinned = dict(re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?==([\d.]+)", text, re.M))
    for name, floor in FLOORS.items():
        assert tuple(int(part) for part in pinned[name].split(".")) >= floor, name


def test_every_dependency_is_pinned_with_hashes_and_names_no_registry() -> None:
    for name in ("requirements.txt", "tests/requirements.txt", "bench/servers.txt"):
        text = (ROOT / name).read_text()
        for block in re.findall(r"^[a-z0-9-]+.*(?:\n .*)*", text, re.M):
            assert "==" in block
            assert "--hash=sha256:" in block
        assert "://" not in text
        assert "--index" not in text


def test_without_oidc_no_jose_code_is_imported() -> None:
    code = f"import {reference_app.MODULE}, sys; print([m for m in sys.modules if 'jose' in m])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


def test_gunicorn_is_configured_for_proxies_and_slow_responses_from_clever() -> None:
    conf = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    assert conf["keepalive"] > 90  # a router keeps a connection that long
    assert conf["graceful_timeout"] <= 30  # a host waits that long before it kills the process
    assert (
        conf["threads"] > MAX_CONCURRENT_LOGINS + MAX_WAITING_REPEATS
    )  # leaves some threads while Clever is stalled
    assert conf["worker_class"] == "clever_login.server.worker.Worker"
    assert conf["logger_class"] == "clever_login.server.access_log.Logger"
    for leak in ("%(r)s", "%(q)s", "%(f)s", "%(a)s"):
        assert leak not in conf["access_log_format"]
