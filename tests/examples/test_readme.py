"""Runs the commands of the example's README as written, in a copy of the project."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import running_app
from tests.support.browser_client import Visitor
from tests.support.lending_desk import FOLDER, NOT_COPIED
from tests.support.login_flows import log_in_at_clever
from tests.support.running_app import ROOT

pytestmark = pytest.mark.servers

README = (FOLDER / "README.md").read_text()
COMMANDS = "".join(re.findall(r"```sh\n(.*?)```", README, re.S)).splitlines()
INSTALL = {  # it needs PyPI; the fixture `project` makes the same of the packages of the tests
    "python3 -m venv .venv",
    ".venv/bin/pip install -r requirements.txt ../.. ../../clever_simulator",
}
EACH_TERMINAL = (
    "cd examples/existing_app",
    ". .venv/bin/activate",
    "set -a; . ./development.env; set +a",
)
OUTPUT = {
    "flask --app lending db upgrade": "",
    "flask --app lending add-items Camera Tripod Microscope": "Camera, Tripod, Microscope.",
    "python -m pytest": "13 passed",
    "git apply --reverse add_clever.patch": "",
    "git apply add_clever.patch": "",
}
SIMULATOR, APP = "python -m clever_simulator --port 3001", "flask --app lending run"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, with an environment in the folder of the example."""
    project = tmp_path / "project"
    for name in ("clever_login", "clever_simulator", "examples"):
        ignored = shutil.ignore_patterns(*NOT_COPIED)
        shutil.copytree(ROOT / name, project / name, ignore=ignored)
    environment = project / "examples" / "existing_app" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "installed.pth").write_text(f"{sysconfig.get_path('purelib')}\n{project}\n")
    flask = environment / "bin" / "flask"
    flask.write_text(f"#!{environment}/bin/python\nfrom flask.cli import main\nmain()\n")
    flask.chmod(0o755)
    return project


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """Stops the servers that the test has started."""
    with ExitStack() as stack:
        yield stack


def in_terminal(command: str, **variables: str) -> list[str]:
    """Return a command as it runs in a new terminal, in the environment of the README."""
    free_ports = [f"export {name}={value}" for name, value in variables.items()]
    return ["sh", "-c", "\n".join([*EACH_TERMINAL, *free_ports, f"exec {command}"])]


def test_the_commands_of_the_readme_work_as_written(project: Path, servers: ExitStack) -> None:
    app_port, simulator_port = running_app.free_port(), running_app.free_port()
    app, simulator = f"http://localhost:{app_port}", f"http://127.0.0.1:{simulator_port}"
    urls = {"APP_URL": app, "CLEVER_URL": simulator, "CLEVER_API_URL": simulator}

    def serve(command: str, url: str) -> None:
        log = project / f"{len(list(project.iterdir()))}.log"
        child = running_app.run_process(in_terminal(command, **urls), {}, log, cwd=project)
        running_app.wait_until_answers(url, servers.enter_context(child))

    for command in COMMANDS:
        if command.startswith(SIMULATOR):
            with_port = command.replace("3001", str(simulator_port))
            serve(with_port.replace("5000", str(app_port)), simulator)
        elif command == APP:
            serve(f"{command} --port {app_port}", app)
            visitor = Visitor(app, checks_pages=False).open("/log-in").click("Log in with Clever")
            page = log_in_at_clever(visitor.click("Harrow Creek"), "student")
            assert page.at_app
            assert "Ada loans" in page.text
        elif command not in INSTALL and command not in EACH_TERMINAL:
            ended = subprocess.run(
                in_terminal(command), cwd=project, capture_output=True, text=True, check=False
            )
            assert ended.returncode == 0, ended.stdout + ended.stderr
            assert OUTPUT[command] in ended.stdout + ended.stderr


def test_each_command_of_the_readme_is_known() -> None:
    known = {*INSTALL, *EACH_TERMINAL, *OUTPUT, APP}
    assert {line for line in COMMANDS if not line.startswith(SIMULATOR)} == known
