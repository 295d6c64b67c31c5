"""Tests bin/dev in a fresh copy of the project, as a new developer runs it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import running_app
from tests.support.browser_client import Visitor, send_request
from tests.support.fresh_checkout import run_bin_dev, wait_for_greeting
from tests.support.running_app import ROOT

pytestmark = pytest.mark.servers


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_bin_dev_starts_app_and_simulator_and_ctrl_c_stops_both(copy: Path) -> None:
    app, clever = running_app.free_port(), running_app.free_port()
    for _ in range(2):  # first without packages, then with all installed
        with run_bin_dev(copy, PORT=str(app), SIMULATOR_PORT=str(clever)) as (child, log):
            greeting = wait_for_greeting(child, log, 300)
            assert f"http://localhost:{app}" in greeting
            assert f"http://127.0.0.1:{clever}" in greeting
            assert "school_admin" in greeting
            visitor = Visitor(f"http://localhost:{app}").open("/").click("Log in with Clever")
            visitor.click("Harrow Creek").press("Log in", username="student", password="clever")
            assert visitor.heading == "Hi, Ada!"
            child.send_signal(signal.SIGINT)
            assert child.wait(60) == 0
            assert is_free(app)
            assert is_free(clever)
    assert (copy / "instance" / "dev-secret-key").stat().st_mode & 0o777 == 0o600


def test_bin_dev_skips_a_taken_port_and_says_so_unless_the_port_was_requested(copy: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with run_bin_dev(copy, PORT=str(port)) as (child, log):
            assert child.wait(300) == 1
            assert str(port) in log.read_text().strip().splitlines()[-1]
    listeners = [socket.create_server(("127.0.0.1", p)) for p in (3000, 3001) if is_free(p)]
    try:
        with run_bin_dev(copy) as (child, log):
            greeting = wait_for_greeting(child, log, 300)
            urls = re.findall(r"http://(?:localhost|127\.0\.0\.1):(\d+)", greeting)
            assert not {"3000", "3001"} & set(urls)
            assert "3000" in greeting  # says which port was taken
    finally:
        for listener in listeners:
            listener.close()


def test_with_a_client_id_bin_dev_starts_only_the_app_against_the_real_clever(copy: Path) -> None:
    port = running_app.free_port()
    (copy / ".env").write_text(
        "# of our dashboard\nexport CLEVER_CLIENT_ID='from-env'\nCLEVER_CLIENT_SECRET=\"s\"\n"
    )
    try:
        with run_bin_dev(copy, PORT=str(port)) as (child, log):
            greeting = wait_for_greeting(child, log, 300)
            assert f"http://localhost:{port}/oauth/callback" in greeting
            response = send_request(f"http://localhost:{port}/login")
            assert response.headers["Location"].startswith("https://clever.com/oauth/authorize?")
            assert "client_id=from-env" in response.headers["Location"]
    finally:
        (copy / ".env").unlink()


def test_with_the_real_clever_bin_dev_refuses_a_port_that_differs_from_app_url(copy: Path) -> None:
    environ = {"CLEVER_CLIENT_ID": "x", "APP_URL": "http://localhost:3000", "PORT": "4000"}
    with run_bin_dev(copy, **environ) as (child, log):
        assert child.wait(300) == 1
        assert "make both ports the same" in log.read_text()


def test_a_failed_install_ends_with_one_sentence_that_says_what_to_do(copy: Path) -> None:
    broken = copy.parent / "broken"
    shutil.copytree(copy, broken, ignore=shutil.ignore_patterns(".venv", "instance"))
    nowhere = "http://127.0.0.1:9/"
    environ = {"PIP_INDEX_URL": nowhere, "PIP_FIND_LINKS": "", "PIP_NO_CACHE_DIR": "1"}
    with run_bin_dev(broken, **environ, PIP_RETRIES="0", PIP_CONFIG_FILE="/dev/null") as (
        child,
        log,
    ):
        assert child.wait(300) == 1
    last = log.read_text().strip().splitlines()[-1]
    assert "could not be installed" in last
    assert "bin/dev" in last
    assert "Traceback" not in log.read_text()


def test_the_dependency_list_has_every_dependency_with_its_version(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "bin" / "audit"), "--list", str(tmp_path / "sbom.json")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    parts = json.loads((tmp_path / "sbom.json").read_text())["components"]
    pinned = re.findall(
        r"^([\w.-]+)(?:\[\w+\])?==([\w.]+)", (ROOT / "requirements.txt").read_text(), re.M
    )
    assert sorted((part["name"], part["version"]) for part in parts) == sorted(pinned)
