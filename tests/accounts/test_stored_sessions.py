"""Tests that `export` shows what the sessions of a user contain, and that `forget` ends them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, redirect, session
from flask.typing import ResponseReturnValue

from clever_login import CurrentUser, Identity, log_in, public
from clever_login.storage.base import Store
from clever_login.storage.file_store import FileStore
from clever_login.storage.redis_store import RedisStore
from clever_login.testing import sample_settings
from tests.conftest import SiteMaker
from tests.support.account_app import people_rows, run_flask_clever
from tests.support.browser_client import Visitor
from tests.support.login_flows import by_button
from tests.support.roster_fixtures import run_roster_site, write_roster
from tests.support.running_app import Site, run_redis

STUDENT = "ours-student"  # the id of the row
SEEN = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)


def add_mail_login(app: Flask) -> None:
    @app.get("/mail")
    @public
    def mail() -> ResponseReturnValue:
        """Log the student in by another method, in a session with a value of the product."""
        log_in(Identity(provider="mail", subject="7", person_id=STUDENT), account_id=STUDENT)
        session["product"] = {"seen": SEEN}
        return redirect("/dashboard")


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Site]:
    with run_roster_site(tmp_path, None, extend=add_mail_login) as site:
        write_roster(site)
        yield site


def by_mail(site: Site) -> Visitor:
    return site.visitor().open("/mail")


def exported_sessions(site: Site) -> list[dict[str, Any]]:
    sessions: list[dict[str, Any]] = json.loads(exported(site))["sessions"]
    return sessions


def exported(site: Site) -> str:
    lines = run_flask_clever(site, "export", "--user", STUDENT).splitlines()
    return "\n".join(line for line in lines if not line.startswith('{"time"'))


def test_an_export_has_what_each_session_of_the_user_contains(school: Site) -> None:
    by_button(school, "student").press("Log out")
    by_button(school, "teacher")
    visitors = [by_button(school, "student"), by_button(school, "student"), by_mail(school)]
    by_provider = {each["login"]["provider"]: each for each in exported_sessions(school)}
    assert len(exported_sessions(school)) == 3
    assert set(by_provider["clever"]) == {"login"}
    login = by_provider["clever"]["login"]
    assert set(login) == {field.name for field in fields(CurrentUser)}
    assert login["email"] == school.person("student").email
    assert login["subject"] == school.person("student").id
    assert by_provider["mail"]["product"] == {"seen": "2026-09-01T08:00:00Z"}
    text = exported(school)
    assert school.person("teacher").id not in text
    for visitor in visitors:
        token = visitor.page.select_one("[name=csrf_token]")
        assert token is not None
        for secret in (str(token["value"]), visitor.http.cookies["session"]):
            assert secret not in text


def test_an_export_reads_sessions_that_a_former_key_sealed(make_site: SiteMaker) -> None:
    by_button(make_site(secret_key="o" * 64), "student")
    site = make_site(secret_key="n" * 64, secret_key_fallbacks=("o" * 64,))
    (person,) = people_rows(site)
    output = run_flask_clever(site, "export", "--user", person.id)
    assert json.loads(output[output.index("{\n") :])["sessions"][0]["login"]["account_id"]


def test_forget_ends_the_sessions_of_every_login_method(school: Site) -> None:
    visitors, teacher = (
        [by_button(school, "student"), by_mail(school)],
        by_button(school, "teacher"),
    )
    assert "sessions                       2" in run_flask_clever(
        school, "forget", "--user", STUDENT
    )
    assert [visitor.open("/dashboard").path for visitor in visitors] == ["/", "/"]
    assert teacher.open("/dashboard").path == "/dashboard"


@pytest.fixture(params=["file", pytest.param("redis", marks=pytest.mark.servers)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "file":
        yield FileStore(tmp_path)
        return
    with run_redis(tmp_path) as url:
        yield RedisStore(sample_settings(tmp_path, redis_url=url))


def test_a_store_finds_values_by_a_pattern_and_a_function(store: Store) -> None:
    for key in ("session-a-1", "session-b-2", "session-b-3", "other-b-2"):
        store.set(key, key.encode(), 60)
    assert store.find("session-*", lambda key: "-b-" in key) == {
        "session-b-2": b"session-b-2",
        "session-b-3": b"session-b-3",
    }
    assert len(store.find("session-*")) == 3
