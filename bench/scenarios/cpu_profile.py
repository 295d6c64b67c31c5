"""Profiles the CPU time of a login: runs this app in this process, one login at a time.

The profiler's clock is CPU time, so waiting does not count. The profiler's own cost does, which
makes small functions look larger than they are. Read the shares only.
"""

from __future__ import annotations

import cProfile
import logging
import pstats
import re
import secrets
import time
from collections import Counter
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from flask import Flask

from app import create_app
from bench.fake_clever import responses
from bench.harness import seed_rosters
from bench.harness.stack import Stack
from bench.peers.contenders import CONTENDERS
from clever_login.config import load_settings
from clever_login.db import migrate
from clever_login.db.database import database
from tests.support import running_app

APP_URL, LOGIN_COUNT = "http://localhost", 100
BROWSER_FILES = ("werkzeug/test.py", "flask/testing.py")
PACKAGES_BY_GROUP = {
    "PostgreSQL: SQLAlchemy, psycopg": ("sqlalchemy", "psycopg", "psycopg_binary"),
    "requests to Clever: requests, urllib3, TLS": ("requests", "urllib3", "ssl", "http", "certifi"),
    "Redis": ("redis",),
    "pages: Jinja, Babel, gzip": ("jinja2", "markupsafe", "flask_babel", "babel", "gzip"),
    "Flask, Werkzeug and its extensions": ("flask", "werkzeug", "flask_session", "flask_wtf"),
    "Authlib": ("authlib",),
    "code of this app": ("clever_login", "templates"),
}


def measure_shares(stage: Stack, logins: int = LOGIN_COUNT) -> dict[str, float]:
    """Returns each group's share of a login's CPU time, with everything else last."""
    variables = CONTENDERS["ours"].environment(
        stage, APP_URL, running_app.new_database(stage.postgres_url)
    )
    app = create_app(replace(load_settings(variables), instance_path=str(stage.folder)))
    logging.getLogger("clever_login").setLevel(logging.WARNING)
    with app.app_context():
        migrate.upgrade(database().engine)
    seed_rosters.seed_database(variables["DATABASE_URL"])
    for number in range(20):
        _log_in(app, number)
    profile = cProfile.Profile(time.thread_time)
    with profile:
        for number in range(logins):
            _log_in(app, number % 20)
    database(app).close()
    return _seconds_by_group(pstats.Stats(profile))


def _log_in(app: Flask, number: int) -> None:
    client = app.test_client()
    headers = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    sent = client.get("/login", base_url=APP_URL, headers=headers)
    state = parse_qs(urlsplit(str(sent.location)).query)["state"][0]
    code = responses.new_code(number, secrets.token_hex(8))
    callback_url = f"/oauth/callback?code={code}&state={state}"
    assert client.get(callback_url, base_url=APP_URL, headers=headers).status_code == 303
    assert (
        responses.first_name(number)
        in client.get("/dashboard", base_url=APP_URL, headers=headers).text
    )


def _seconds_by_group(stats: pstats.Stats) -> dict[str, float]:
    """Returns own time by group. Built-in functions count for their callers."""
    seconds: Counter[str] = Counter()
    entries = stats.stats  # type: ignore[attr-defined] # missing in the stub of pstats
    for (file, _, _), (_, _, own_seconds, _, callers) in entries.items():
        if file.endswith(BROWSER_FILES):
            continue
        if file != "~":
            seconds[_group_of_file(file)] += own_seconds
            continue
        for (caller, _, _), (_, _, share, _) in callers.items():
            seconds[_group_of_file(caller)] += share
    total = sum(seconds.values())
    shares = {name: seconds[name] / total for name in PACKAGES_BY_GROUP}
    return shares | {"rest of the Python standard library": 1 - sum(shares.values())}


def _group_of_file(file: str) -> str:
    parts = set(re.split(r"[/.]", file))
    return next((name for name, packages in PACKAGES_BY_GROUP.items() if parts & set(packages)), "")
