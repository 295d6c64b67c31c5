"""The example of an existing app, Lending Desk: in this process, and in copies of its folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import select
from werkzeug.test import TestResponse

from clever_login.testing import Browser, browser
from clever_simulator.testing import SimulatedClever
from lending import create_app
from lending.models import User, db
from tests.support.running_app import ROOT

FOLDER = ROOT / "examples" / "existing_app"
PATCH = FOLDER / "add_clever.patch"
CALLBACK = "/clever/oauth/callback"
NOT_COPIED = ("__pycache__", ".pytest_cache", ".venv", "instance")


@dataclass(frozen=True)
class LendingDesk:
    """The app in this process, with Clever, and a simulator that knows it."""

    app: Flask
    clever: SimulatedClever

    def browser(self) -> Browser:
        """Return a new browser without cookies."""
        return browser(self.app)

    def log_in(self, client: Browser, user_name: str) -> TestResponse:
        """Click the link on the login page, and log in at Clever. Returns the last page."""
        (link,) = re.findall(r'href="(\S+)">Log in with Clever<', client.get("/log-in").text)
        return self.log_in_at(client, client.get(link), user_name)

    def log_in_at(self, client: Browser, redirect: TestResponse, user_name: str) -> TestResponse:
        """Log in at Clever, to which the app has redirected the browser."""
        return client.get(self.clever.log_in(redirect.location, user_name), follow_redirects=True)

    def users(self) -> list[User]:
        """Return the rows of all users, in the order of their first logins."""
        with self.app.app_context():
            return list(db.session.scalars(select(User).order_by(User.id)))

    def block(self, user: User) -> None:
        """Block a user, as the library does in the database."""
        with self.app.app_context():
            db.session.get_one(User, user.id).blocked = True
            db.session.commit()


def start(
    clever: SimulatedClever, instance_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LendingDesk:
    """Create the app with an empty database, as its factory does from the environment."""
    of_the_file = [line.split("=", 1) for line in read("development.env").splitlines()]
    environment = {**dict(of_the_file), **clever.environment, "INSTANCE_PATH": str(instance_path)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app = create_app()
    with app.app_context():
        upgrade()
    app.test_cli_runner().invoke(args=["add-items", "Camera", "Tripod"])
    return LendingDesk(app, clever)


def submit(client: Browser, page: str, to: str = "", **fields: str) -> TestResponse:
    """Submit a form of a page, with the token of the app's Flask-WTF, and follow the redirect."""
    token = re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', client.get(page).text)[0]
    return client.post(to or page, data={**fields, "csrf_token": token}, follow_redirects=True)


def read(name: str) -> str:
    """Return the text of a file in the folder of the example."""
    return (FOLDER / name).read_text()


def copy_to(folder: Path, *, with_clever: bool) -> Path:
    """Copy the example, and without Clever undo the patch in the copy."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    if not with_clever:
        command = ["git", "apply", "--reverse", "add_clever.patch"]
        subprocess.run(command, cwd=folder, check=True, timeout=30)
    return folder


def run_python(folder: Path, *arguments: str, with_clever: bool) -> str:
    """Run Python in a copy, and return its output. Only with Clever it can import the library."""
    environment = {"PATH": os.environ["PATH"]}
    if with_clever:
        environment["PYTHONPATH"] = str(ROOT)
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
