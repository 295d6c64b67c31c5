"""Tests bin/clever and bin/doctor on a developer's machine, before and while bin/dev runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import fresh_checkout, running_app
from tests.support.fresh_checkout import Dev

pytestmark = pytest.mark.servers


def run(
    copy: Path, script: str, *arguments: str, stdin: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run one of the commands from another folder."""
    return subprocess.run(
        [sys.executable, str(copy / "bin" / script), *arguments],
        cwd="/",
        env={"PATH": os.environ["PATH"], "HOME": str(copy)} | environ,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@contextmanager
def dotenv(copy: Path, text: str) -> Iterator[None]:
    """Add this .env file to the project, and remove it on exit."""
    (copy / ".env").write_text(text)
    try:
        yield
    finally:
        (copy / ".env").unlink()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which bin/dev was never started."""
    return fresh_checkout.installed_copy(tmp_path_factory.mktemp("fresh"))


@pytest.mark.parametrize(
    "arguments", [(), ("whoami",), ("accounts", "invite"), ("db", "downgrade"), ("doctor",)]
)
def test_help_needs_no_settings_and_no_simulator(fresh: Path, arguments: tuple[str, ...]) -> None:
    variables = {"CLEVER_CLIENT_ID": "of-an-app", "SESSION_IDLE_MINUTES": "soon", "PORT": "x"}
    with dotenv(fresh, "no variable at all\n"):
        result = run(fresh, "clever", *arguments, "--help", **variables)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"Usage: {' '.join(['bin/clever', *arguments])}")
    assert result.stderr == ""


def test_without_a_running_simulator_a_command_says_to_start_bin_dev(fresh: Path) -> None:
    stale = fresh / "instance" / "bin-dev.json"
    stale.parent.mkdir(exist_ok=True)
    stale.write_text('{"app": 3000, "simulator": 3001}')  # left by a bin/dev that was killed
    result = run(fresh, "clever", "districts")
    assert result.returncode == 1
    assert "Start bin/dev in another terminal" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_error_in_the_env_file_is_reported_with_its_line(fresh: Path) -> None:
    with dotenv(fresh, "\nno variable at all\n"):
        result = run(fresh, "clever", "districts")
    assert result.returncode == 1
    assert result.stderr == "Line 2 of .env is not KEY=VALUE. Correct or remove it.\n"


def test_with_a_client_id_the_commands_use_the_clever_of_the_env_file(
    fresh: Path, dev: Dev
) -> None:
    text = f"CLEVER_CLIENT_ID=simulator\nCLEVER_CLIENT_SECRET=wrong\nCLEVER_URL={dev.clever_url}\n"
    with dotenv(fresh, text):
        result = run(fresh, "clever", "districts")
        assert result.returncode == 1
        assert "Check CLEVER_CLIENT_ID and CLEVER_CLIENT_SECRET" in result.stderr


def test_the_doctor_reports_no_problem_in_a_fresh_clone(fresh: Path) -> None:
    network = {"HTTPS_PROXY": "http://proxy:3128", "SSL_CERT_FILE": "/etc/ssl/x"}
    result = run(fresh, "doctor", **network)
    assert result.returncode == 0, result.stdout + result.stderr
    first, *findings = result.stdout.splitlines()
    assert "uses the simulator, which is not running" in first
    assert "start bin/dev first" in first
    assert findings[-1] == "0 faults, 0 warnings. The checks that call Clever were skipped."
    assert all(finding.startswith("ok  ") for finding in findings[:-2])


def test_the_doctor_prints_nothing_but_json_with_the_json_option(fresh: Path) -> None:
    result = run(fresh, "doctor", "--json")
    assert json.loads(result.stdout)["outcome"] == "ok"
    assert "simulator" in result.stderr


def test_the_doctor_checks_production_variables_as_production(fresh: Path) -> None:
    with dotenv(fresh, "APP_ENV=production\nAPP_URL=https://reading.example.org\n"):
        result = run(fresh, "doctor", "--offline")
    assert result.returncode == 1
    assert "CLEVER_CLIENT_ID is missing" in result.stdout
    assert "SECRET_KEY is missing" in result.stdout
    assert "simulator" not in result.stdout


def test_the_doctor_checks_the_simulator_of_the_running_bin_dev(dev: Dev) -> None:
    result = run(dev.copy, "doctor")
    assert result.returncode == 0, result.stdout + result.stderr
    first, *findings = result.stdout.splitlines()
    assert f"the simulator of bin/dev at {dev.clever_url} instead of Clever" in first
    assert findings[-1] == "0 faults, 0 warnings."
    assert any(
        "credentials: Clever accepts the credentials. Connected: 3 districts." in finding
        for finding in findings
    )
    assert "production credentials" not in result.stdout


def test_commands_find_the_simulator_on_another_port(dev: Dev) -> None:
    result = run(dev.copy, "clever", "districts")
    assert result.returncode == 0, result.stderr
    assert "Harrow Creek" in result.stdout


def test_bin_clever_passes_exit_codes_and_standard_input_through(dev: Dev) -> None:
    assert run(dev.copy, "clever", "sections", "no id").returncode == 2
    assert run(dev.copy, "clever", "sections", "nobody").returncode == 1
    result = run(dev.copy, "clever", "whoami", stdin="no-token-of-clevers\n")
    assert result.returncode == 1
    assert result.stderr == "Error: Clever does not accept this token.\n"


def test_ctrl_c_stops_a_command(dev: Dev) -> None:
    command = [sys.executable, str(dev.copy / "bin" / "clever"), "db", "downgrade", "base"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(dev.copy)}
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        question = child.stdout.read(len("This deletes every"))  # the command waits for input
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=30)
    assert question == b"This deletes every"
    assert child.returncode == 1
    assert errors.strip() == b"Aborted!"


def test_commands_use_the_first_of_two_running_bin_devs(dev: Dev) -> None:
    app, clever = running_app.free_port(), running_app.free_port()
    ports = {"PORT": str(app), "SIMULATOR_PORT": str(clever)}
    with fresh_checkout.run_bin_dev(dev.copy, **ports) as (process, log):
        greeting = fresh_checkout.wait_for_greeting(process, log, 60)
        assert "Another bin/dev is already running in this folder" in greeting
        assert dev.clever_url in run(dev.copy, "doctor", "--offline").stdout
    assert dev.clever_url in run(dev.copy, "doctor", "--offline").stdout


def test_a_bin_dev_with_the_real_clever_does_not_count_as_a_simulator(fresh: Path) -> None:
    port = running_app.free_port()
    own = {"CLEVER_CLIENT_ID": "a", "CLEVER_CLIENT_SECRET": "b", "PORT": str(port)}
    with fresh_checkout.run_bin_dev(fresh, **own) as (process, log):
        fresh_checkout.wait_for_greeting(process, log, 60)
        result = run(fresh, "clever", "districts")
    assert result.returncode == 1
    assert "Put CLEVER_CLIENT_ID into .env" in result.stderr
