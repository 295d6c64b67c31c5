"""Tests that every command in the documentation works as written, on a fresh copy."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from clever_simulator.directory import sample_districts
from tests.support import certificates, running_app, tutorial
from tests.support.browser_client import send_request
from tests.support.fresh_checkout import Dev
from tests.support.running_app import ROOT

pytestmark = pytest.mark.servers

SIMULATOR = ROOT / "clever_simulator" / "README.md"
EXAMPLE = ROOT / "examples" / "existing_app" / "README.md"
DOCUMENTS = (
    *(path for path in ROOT.glob("*.md") if path.name not in {"ARCHITECTURE.md", "CHANGELOG.md"}),
    *(ROOT / "docs").glob("*.md"),
    SIMULATOR,
    EXAMPLE,
    ROOT / ".env.example",
)
COMMAND = re.compile(r"(?:bin/|flask |python |gunicorn |\.venv|git |cp |set |0 \*)")
STUDENT = sample_districts.build_directory().person("student")
CRON = "0 * * * * cd /srv/app && set -a && . ./.env && .venv/bin/flask --app app clever sync"
GUNICORN = (
    ".venv/bin/gunicorn --worker-class gthread --certfile localhost.pem --keyfile localhost-key.pem"
    ' "app:create_app()"'
)
SET = "set -a; . ./.env; set +a"

# Expected output on a developer's machine, while bin/dev runs.
ON_YOUR_MACHINE = {
    "bin/doctor": "0 faults, 0 warnings.",
    "bin/clever districts": "Harrow Creek",
    "bin/clever sections DISTRICT_ID": " sections in total.",
    "bin/clever events DISTRICT_ID": " events in total.",
    "bin/clever whoami < token.txt": "A district's token.",
    "bin/clever accounts add --first-name Ada": "",
    "bin/clever accounts invite --person ID": "{app}/claim?token=",
    "bin/clever export --user ID": STUDENT.id,
    "bin/clever pseudonym --district ID": "",
}
# Expected output on a host, where the environment has the variables.
ON_A_HOST = {
    "flask --app app clever db upgrade": "the newest",
    "flask --app app clever db grants school_app": "GRANT USAGE ON SCHEMA",
    "flask --app app clever db downgrade 0001": "out of date (revision 0001, not ",
    "flask --app app clever sync": "Harrow Creek",
    "flask --app app clever sync --review": "Nothing is on hold",
    CRON: "Harrow Creek",
    "flask --app app clever status": "Harrow Creek",
    "flask --app app clever runs": "\tschedule\t",
    "flask --app app clever districts": "Harrow Creek",
    "flask --app app clever doctor": "0 faults, 0 warnings.",
    "python -m clever_login.doctor": "0 faults, 0 warnings.",
    "flask --app app clever export --user ID": STUDENT.id,
    "flask --app app clever accounts export": STUDENT.id,
    "flask --app app clever accounts export > accounts.csv": "",
    "flask --app app clever accounts import ids.csv": "Nothing was stored.",
    "flask --app app clever accounts import ids.csv --commit": "1 new",
    "flask --app app clever pseudonym --person ID": "",
    "flask --app app clever pseudonym --district ID": "",
    "flask --app app clever forget --user ID": "",
    "flask --app app clever retention": "",
    "flask --app app clever retention --yes": "",
    "flask --app app clever sessions end --person ID": "sessions ended.",
    "flask --app app clever sessions end --district ID": "sessions ended.",
    "flask --app app clever sessions end --all": "sessions ended.",
    "flask --app app clever forget --district ID": "",
}
SERVERS = (
    ".venv/bin/python -m clever_simulator --port 3001 --app-url http://localhost:3000",
    ".venv/bin/python -m clever_simulator --students 20000",
    ".venv/bin/python -m clever_simulator --certification",
    ".venv/bin/python -m clever_simulator --data default_sandbox_data.zip",
)
HERE = ("cp .env.example .env", "bin/translate", "bin/translate vi", GUNICORN, SET)
# Commands that are not run here, with the reason.
ELSEWHERE = {
    "bin/dev": "all of tests/deployed/test_bin_dev.py",
    'gunicorn "app:create_app()"': "tests/deployed/test_production.py",
    "bin/help": "tests/project/test_bin.py",
    "bin/test": "this runs in it",
    "bin/test --full": "this runs in it",
    "bin/test --long": "this runs in it",
    "bin/test -- --durations=20": "this runs in it",
    "bin/test tests/deployed/test_server_limits.py tests/deployed/test_killed_workers.py -rP": (
        "this runs beside it"
    ),
    "bin/test tests/deployed/test_slow_clients.py tests/deployed/test_stopping.py "
    "tests/deployed/test_http.py -rP": "this runs beside it",
    "bin/test --broken": "it takes minutes",
    "bin/test --faults": "it takes minutes",
    "flask --app app clever sync --full": "tests/roster_sync/test_sync.py",
    ".venv-test/bin/python -m bench.scenarios.floods": "it takes minutes",
    "flask --app app clever accounts invite --person ID": "tests/accounts/test_claims.py",
    "bin/test --broken open-redirect": "it takes a minute",
    "bin/lock": "it needs PyPI",
    "bin/audit": "it needs PyPI; its list is tested in tests/deployed/test_bin_dev.py",
    "bin/release": "it needs PyPI; tests/project/test_release.py builds with the same code",
    "bin/screenshots": "it needs Chromium",
    "git clone <this repository> && cd <its folder>": "it is a copy already",
    ".venv-test/bin/python -m bench.scenarios.account_overhead": "it takes minutes",
    ".venv-test/bin/python -m bench.scenarios.startup": "it takes minutes",
    ".venv-test/bin/python -m bench.scenarios.compare_servers": "see test_bench.py",
    ".venv-test/bin/python -m bench.scenarios.simulator_memory": "it takes minutes",
    ".venv-test/bin/python -m bench.scenarios.roster_sync": "it takes minutes",
    "flask --app product db init": "tests/database/test_flask_migrate.py",
    'flask --app product db migrate -m "Loans"': "tests/database/test_flask_migrate.py",
    "flask --app product clever db upgrade": "tests/database/test_flask_migrate.py",
    "flask --app app clever db downgrade base": "tests/database/test_flask_migrate.py",
    ".venv-test/bin/python -m docs.write_clever": "it writes docs/clever.md",
    ".venv-test/bin/python -m docs.write_switches": "it writes a table of the simulator's README",
    ".venv-test/bin/python -m docs.write_recipes": "it writes docs/recipes.md",
    ".venv-test/bin/python -m tests.make_it_yours": "it takes an hour",
    ".venv-test/bin/python -m tests.newcomer": "tests/deployed/test_newcomer.py",
    "cp -r examples/recipes/form.py examples/recipes/notes .": "tests/deployed/test_newcomer.py",
    "bin/app export-classes DISTRICT_ID classes.csv": "tests/deployed/test_bin_app.py",
}
ELSEWHERE |= {
    command: "tests/browser/test_tutorial.py"
    for command in tutorial.commands()
    if COMMAND.match(command) and command not in ELSEWHERE
}
ELSEWHERE |= dict.fromkeys(
    (
        ".venv-test/bin/python -m docs.write_tutorial",
        ".venv-test/bin/python -m docs.take_tutorial_pictures",
        ".venv-test/bin/python -m docs.take_animation",
    ),
    "they write documents and their pictures",
)
OF_THE_EXAMPLE = "tests/examples/test_readme.py"
ELSEWHERE |= dict.fromkeys(
    [
        ".venv/bin/pip install -r requirements.txt ../.. ../../clever_simulator",
        "set -a; . ./development.env; set +a",
        "flask --app lending db upgrade",
        "flask --app lending add-items Camera Tripod Microscope",
        "python -m clever_simulator --port 3001 --app simulator:simulator-secret:secure_sync:"
        "http://localhost:5000/clever/oauth/callback",
        "flask --app lending run",
        "python -m pytest",
        "git apply --reverse add_clever.patch",
        "git apply add_clever.patch",
    ],
    OF_THE_EXAMPLE,
)
# Parts of commands, as they appear in sentences.
NAMES = {
    "flask --app NAME clever doctor",
    "bin/clever",
    "python -m bench.scenarios.compare_servers",
    "bin/clever --help",
    "bin/clever ...",
    "bin/app",
    "bin/app NAME",
    "bin/app ...",
    "flask --app app NAME",
    "0 * * * *",
} | {
    "flask --app app clever",
    "flask --app app clever ...",
    "flask --app app clever export",
    "flask db migrate",
}


def documented_commands() -> set[str]:
    """Return the commands in the documents: from sh blocks, inline code, and indented lines."""
    candidates = []
    for path in DOCUMENTS:
        text = path.read_text().replace("\\\n    ", "")
        blocks = re.findall(r"^ *```sh\n(.*?)```", text, re.S | re.M)
        candidates += [line for block in blocks for line in block.splitlines()]
        candidates += re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
        candidates += re.findall(r"^    (\S.*)$", text, re.M) if path == SIMULATOR else []
    commands = (re.sub(r"\s+#.*", "", candidate).strip() for candidate in candidates)
    return {command for command in commands if COMMAND.match(command)}


@dataclass(frozen=True)
class Machines:
    """A developer's machine that runs bin/dev, and a host. Both use its simulator."""

    dev: Dev
    host: Path
    variables: dict[str, str]

    def run_on_machine(self, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return sh(command, self.dev.copy, {}, stdin)

    def run_on_host(self, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return sh(command, self.host, self.variables, stdin)


def sh(
    command: str, folder: Path, variables: dict[str, str], stdin: str
) -> subprocess.CompletedProcess[str]:
    """Run a command line in a shell, without any variables that the app would read."""
    programs = os.pathsep.join([str(folder / ".venv" / "bin"), os.environ["PATH"]])
    usual = {"HOME": str(folder), "PATH": programs if variables else os.environ["PATH"]}
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=usual | variables,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def machines(dev: Dev, installed: Path) -> Machines:
    settings = running_app.settings_for(dev.url, dev.clever_url, installed / "instance")
    variables = running_app.environment_variables(settings, 3000)
    assert sh("flask --app app clever sync", installed, variables, "").returncode == 0
    granted = send_request(
        f"{dev.clever_url}/oauth/tokens?owner_type=district", auth=("simulator", "simulator-secret")
    )
    (dev.copy / "token.txt").write_text(granted.json()["data"][0]["access_token"])
    (installed / "ids.csv").write_text(f"clever_id,account_id\n{'a' * 24},17\n")
    return Machines(dev, installed, variables)


def test_every_documented_command_is_run_or_excluded_with_a_reason() -> None:
    run = {*ON_YOUR_MACHINE, *ON_A_HOST, *SERVERS, *HERE}
    assert documented_commands() == run | ELSEWHERE.keys() | NAMES


def test_the_docs_name_only_commands_that_exist() -> None:
    for path in DOCUMENTS:
        assert not re.search(r"flask clever\b", path.read_text()), path.name


@pytest.mark.parametrize("command", ON_YOUR_MACHINE)
def test_a_documented_development_command_works_as_written(
    command: str, machines: Machines
) -> None:
    ids = {"DISTRICT_ID": STUDENT.district.id, "ID": STUDENT.id}
    if "invite" in command:
        ids["ID"] = machines.run_on_machine("bin/clever accounts add").stdout.strip()
    words = re.sub(r"\b(DISTRICT_ID|ID)\b", lambda match: ids[match[1]], command)
    result = machines.run_on_machine(words)
    assert result.returncode == 0, result.stdout + result.stderr
    expected = ON_YOUR_MACHINE[command].replace("{app}", machines.dev.url)
    assert expected in result.stdout + result.stderr


@pytest.mark.parametrize("command", ON_A_HOST)
def test_a_documented_production_command_works_as_written(command: str, machines: Machines) -> None:
    of = STUDENT.district.id if "--district" in command else STUDENT.id
    words = re.sub(r"\bID\b", of, command)
    if command == CRON:
        lines = (f"{name}={value}\n" for name, value in machines.variables.items())
        (machines.host / ".env").write_text("".join(lines))
        words = words.removeprefix("0 * * * * ").replace("/srv/app", f"'{machines.host}'")
        result = sh(words, machines.host, {}, "")
    else:
        result = machines.run_on_host(words, "y\n")
    assert result.returncode == 0, result.stdout + result.stderr
    assert ON_A_HOST[command] in result.stdout + result.stderr


@pytest.mark.parametrize("command", SERVERS)
def test_the_documented_simulator_commands_start_it(
    command: str, installed: Path, tmp_path: Path
) -> None:
    sample = str(ROOT / "tests" / "data" / "pine_hollow")
    words = command.replace("default_sandbox_data.zip", sample).replace("20000", "20").split()
    log = tmp_path / "log"
    with running_app.run_process([*words, "--port", "0"], {}, log, cwd=installed) as child:
        deadline = time.monotonic() + 60
        while "ready at" not in log.read_text():
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0


def test_adding_a_language_works_as_documented(installed: Path) -> None:
    for command in ("bin/translate vi", "bin/translate"):
        result = sh(command, installed, {}, "")
        assert result.returncode == 0, result.stdout + result.stderr
    assert "vi/LC_MESSAGES/messages.po" in result.stdout
    vietnamese = (installed / "translations" / "vi" / "LC_MESSAGES" / "messages.po").read_text()
    for text in ("Log in with your school's Clever account.", "You are logged out"):
        assert f'msgid "{text}"' in vietnamese  # of the app, and of the library


def read(url: str, trusted: ssl.SSLContext) -> str:
    """Return the text at a URL, or an empty string when nothing answers."""
    try:
        with urllib.request.urlopen(url, context=trusted) as response:  # noqa: S310 # always https
            return str(response.read().decode()).strip()
    except OSError:
        time.sleep(0.1)
        return ""


def test_a_localhost_certificate_works_as_documented(installed: Path, tmp_path: Path) -> None:
    port, certificate = (
        running_app.free_port(),
        certificates.make_certificate(tmp_path, "localhost"),
    )
    (installed / "localhost.pem").write_bytes(certificate.certificate.read_bytes())
    (installed / "localhost-key.pem").write_bytes(certificate.key.read_bytes())
    assert sh("cp .env.example .env", installed, {}, "").returncode == 0
    with (installed / ".env").open("a") as file:  # the last line for a variable wins
        file.write(f"APP_URL=https://localhost:{port}\nPORT={port}\nSECRET_KEY={'4f1b' * 16}\n")
        file.write("CLEVER_CLIENT_ID=of-our-app\nCLEVER_CLIENT_SECRET=of-our-app\n")
    trusted = ssl.create_default_context(cafile=str(certificate.certificate))
    command = ["sh", "-c", f"{SET}\nexec {GUNICORN}"]
    with running_app.run_process(command, {}, tmp_path / "log", cwd=installed) as child:
        deadline, text = time.monotonic() + 60, ""
        while text != "ok":
            assert child.poll() is None
            assert time.monotonic() < deadline
            text = read(f"https://localhost:{port}/healthz", trusted)
