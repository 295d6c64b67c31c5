"""A newcomer's afternoon: from `git clone` to the lines of the Procfile, in a temporary folder.

python -m tests.newcomer

It clones the last commit of this repository and does there what README.md, docs/make-it-yours.md,
docs/recipes.md, and docs/deploying.md say. It prints the seconds of each step, and ends with 1 at
the first step that fails. It needs git, Python, the package index, PostgreSQL, and Redis.
"""

from __future__ import annotations

import re
import secrets
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from urllib.parse import parse_qs, urlsplit

import psycopg
import requests

from tests.make_it_yours import OWN_SENTENCE, OWN_SPANISH, SENTENCE, STARTER, replace
from tests.support import running_app
from tests.support.browser_client import NAVIGATION_HEADERS, Visitor, send_request
from tests.support.clone import Clone, wait_for
from tests.support.running_app import ROOT
from tools.processes import Child, Children
from tools.terminal import run, say

HOST = "reading.example.org"
NOTE = "Read chapter 2"
EFFECT_S = 40  # seconds for a restart of the app on a busy machine


@dataclass
class Afternoon:
    """What the newcomer has: a clone, a running bin/dev, and a browser."""

    clone: Clone
    stack: ExitStack
    port: int = field(default_factory=running_app.free_port)
    dev: Child | None = None
    log: Path = Path()
    visitor: Visitor = field(default_factory=lambda: Visitor(""))

    def log_in(self) -> None:
        """Log the student Ada in with a new browser."""
        self.visitor = Visitor(f"http://localhost:{self.port}")
        self.visitor.open("/").click("Log in with Clever").click("Harrow Creek")
        self.visitor.press("Log in", username="student", password="clever")
        assert self.visitor.heading == "Hi, Ada!", self.visitor.text

    def start_dev(self) -> None:
        """Start bin/dev on free ports."""
        simulator = str(running_app.free_port())
        self.clone.variables = {"PORT": str(self.port), "SIMULATOR_PORT": simulator}
        self.dev, self.log = self.clone.start_dev()

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds` returns True, while bin/dev runs."""
        deadline = time.monotonic() + EFFECT_S
        while not holds():
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.1)


def clone(afternoon: Afternoon) -> None:
    """Clone the repository."""
    afternoon.clone.run(f"git clone --quiet '{ROOT}' .")


def start_dev(afternoon: Afternoon) -> None:
    """Start bin/dev: install all packages, with an empty cache of pip."""
    afternoon.start_dev()


def log_in(afternoon: Afternoon) -> None:
    """Log Ada in at the simulator, and read "Hi, Ada!"."""
    afternoon.log_in()


def start_dev_again(afternoon: Afternoon) -> None:
    """Delete .venv and start bin/dev once more, with the packages in pip's cache."""
    assert afternoon.dev
    afternoon.clone.children.stop_one(afternoon.dev)
    rmtree(afternoon.clone.folder / ".venv")
    afternoon.start_dev()


def change_a_sentence(afternoon: Afternoon) -> None:
    """Change a sentence of the students' page, and read it at the next reload."""
    afternoon.log_in()
    assert SENTENCE in afternoon.visitor.text
    before = afternoon.log.read_text().count("The app restarts")
    page = afternoon.clone.folder / "templates/dashboard/student.html"
    replace(page, SENTENCE, OWN_SENTENCE)
    assert OWN_SENTENCE in afternoon.visitor.open("/dashboard").text
    assert afternoon.log.read_text().count("The app restarts") == before


def translate_the_sentence(afternoon: Afternoon) -> None:
    """Run `bin/translate`, write the sentence in Spanish, and read it at the next reload."""
    afternoon.clone.run("bin/translate")
    catalog = afternoon.clone.folder / "translations/es/LC_MESSAGES/messages.po"
    entry = f'msgid "{OWN_SENTENCE}"\nmsgstr "'
    replace(catalog, f'{entry}"', f'{entry}{OWN_SPANISH}"')
    assert OWN_SPANISH in afternoon.visitor.open("/dashboard", **{"Accept-Language": "es"}).text


def add_the_form(afternoon: Afternoon) -> None:
    """Add the form of docs/recipes.md, and save a note with it."""
    page = (afternoon.clone.folder / "docs/recipes.md").read_text()
    (features,) = re.findall(r'`(FEATURES = \(.*"form"\))`', page)
    (copy,) = re.findall(r"```sh\n(cp .*form\.py.*)\n```", page)
    afternoon.clone.run(copy)
    app = afternoon.clone.folder / "app.py"
    app.write_text(re.sub(r"^FEATURES = \([^)]*\)", features, app.read_text(), flags=re.M))
    afternoon.log_in()
    afternoon.until(lambda: afternoon.visitor.open("/notes").response.status_code == 200)
    afternoon.visitor.press("Save", note=NOTE)
    assert NOTE in afternoon.visitor.text


def ask_the_doctor(afternoon: Afternoon) -> None:
    """Run the doctor on this machine, and on a host where no variable is set."""
    assert "0 faults, 0 warnings." in afternoon.clone.run("bin/doctor")
    command, host = "python -m clever_login.doctor --offline", afternoon.clone.activated
    findings = afternoon.clone.run(command, host, exit_code=1)
    for name in ("APP_URL", "SECRET_KEY", "CLEVER_CLIENT_ID", "CLEVER_CLIENT_SECRET"):
        assert f"{name} is missing" in findings, findings


def deploy(afternoon: Afternoon) -> None:
    """Run both lines of the Procfile with PostgreSQL and Redis, and open pages over https."""
    variables = _production(afternoon)
    lines = dict(re.findall(r"^(\w+): (.*)$", _procfile(afternoon), re.M))
    released = afternoon.clone.run(lines["release"], variables)
    assert "Revision of notes's own tables: 0001." in released, released
    with psycopg.connect(variables["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)
    log = afternoon.clone.parent / "web.log"
    web = afternoon.clone.start(lines["web"], log, variables)
    wait_for(log, "Booting worker", web)
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/", 200), ("/notes", 302)):
        answer = _ask(variables["PORT"], path)
        assert answer.status_code == status, f"{path}: {answer.text}\n{log.read_text()}"
    at_clever = urlsplit(_ask(variables["PORT"], "/login").headers["Location"])
    assert at_clever.netloc == "clever.com"
    (redirect_uri,) = parse_qs(at_clever.query)["redirect_uri"]
    assert redirect_uri == f"https://{HOST}/oauth/callback"
    afternoon.clone.children.stop_one(web)


def _procfile(afternoon: Afternoon) -> str:
    return (afternoon.clone.folder / "Procfile").read_text()


def _production(afternoon: Afternoon) -> dict[str, str]:
    """Start PostgreSQL and Redis, and return the variables of docs/deploying.md."""
    parent = afternoon.clone.parent
    return afternoon.clone.activated | {
        "APP_URL": f"https://{HOST}",
        "SECRET_KEY": secrets.token_hex(32),
        "CLEVER_CLIENT_ID": "of-our-app",
        "CLEVER_CLIENT_SECRET": "of-our-app",
        "CLEVER_STATUS_URL": "",  # this is a test: do not call Clever
        "DATABASE_URL": afternoon.stack.enter_context(running_app.run_postgres(parent)),
        "REDIS_URL": afternoon.stack.enter_context(running_app.run_redis(parent)),
        "TRUSTED_PROXIES": "1",
        "PORT": str(running_app.free_port()),
    }


def _ask(port: str, path: str) -> requests.Response:
    """Send a request as the host's router does, which ends TLS."""
    headers = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
    return send_request(f"http://127.0.0.1:{port}{path}", headers=NAVIGATION_HEADERS | headers)


def test_the_pages(afternoon: Afternoon) -> None:
    """Run `bin/test tests/app`, which installs the packages of the tests first."""
    assert " passed" in afternoon.clone.run("bin/test tests/app", seconds=1200)


def test_the_feature(afternoon: Afternoon) -> None:
    """Run `bin/test reading/tests/test_pages.py`."""
    assert " passed" in afternoon.clone.run("bin/test reading/tests/test_pages.py")


STEPS = (
    clone,
    start_dev,
    log_in,
    start_dev_again,
    change_a_sentence,
    translate_the_sentence,
    add_the_form,
    ask_the_doctor,
    deploy,
    test_the_pages,
    test_the_feature,
)


def main() -> int:
    """Do all steps. Returns 1 if one fails."""
    if STARTER not in (ROOT / "app.py").read_text():
        say("  skipped: app.py is no longer the starter's")
        return 0
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        children = stack.enter_context(Children(Path(folder)))
        afternoon = Afternoon(Clone(Path(folder), children), stack)
        started = time.monotonic()
        for step in STEPS:
            if not _succeeds(step, afternoon):
                return 1
            if step is log_in:
                say(f'{time.monotonic() - started:7.1f} s  from the clone to "Hi, Ada!"')
    return 0


def _succeeds(step: Callable[[Afternoon], None], afternoon: Afternoon) -> bool:
    """Do a step, and print its name and its seconds. Prints why it failed."""
    started, sentence = time.monotonic(), str(step.__doc__)
    try:
        step(afternoon)
    except Exception:  # noqa: BLE001 # whatever went wrong, the step has failed
        traceback.print_exc()
        say(f"FAILED: {step.__name__.replace('_', ' ')} ({sentence})")
        return False
    say(f"{time.monotonic() - started:7.1f} s  {sentence}")
    return True


if __name__ == "__main__":
    run(main)
