"""Tests that this app works in the same way whatever Clever does where nobody knows it.

For every value of every switch: a login from the app, from the Portal, and from an Instant Login
link, a full read, and an event sync leave the same sessions, pages, and rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from clever_login.sessions.user_session import current_user
from clever_simulator.config import default_config
from clever_simulator.switches import all_switches
from tests.support.browser_client import Visitor
from tests.support.expected_rows import (
    ExpectedRows,
    actual_rows,
    assert_rows_equal,
    database_engine,
    sync_site,
)
from tests.support.login_flows import LOGIN_FLOWS
from tests.support.matrix import pairwise
from tests.support.running_app import Site, run_in_process

SWITCHES = {switch.name: switch for switch in all_switches()}
VERSIONS = ("v2.1", "v3.0", "v3.1")
CLIENTS = ("simulator", "simulator-oidc")
# A user for each flow. Each has one role, because a switch decides in which of several Clever
# starts a login.
USERS = {"button": "student", "portal": "teacher", "instant_login": "district_admin"}
OF_ONE_LOGIN = {"account_id", "person_id", "logged_in_at", "seen_at"}
TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d")
Row = dict[str, Any]


@contextmanager
def site_with(folder: Path, row: Row) -> Iterator[Site]:
    """Run the app at a Clever with these switches. `version` and `client` are the app's own."""
    switches: Row = {"version": "v3.0", "client": "simulator"} | row
    version, client = switches.pop("version"), switches.pop("client")
    options = {"clever_api_version": version, "clever_client_id": client}
    with run_in_process(folder, extend=add_user_view, **options) as site:
        config = default_config(site.url, site.settings.clever_api_version)
        apps = tuple(replace(app, **switches) for app in config.apps)
        site.clever.configure(replace(config, apps=apps))
        yield site


def add_user_view(app: Flask) -> None:
    """Mount /seen, which returns all that the session says about the user."""

    def show_user() -> dict[str, object]:
        user = current_user()
        assert user
        return {
            field.name: repr(getattr(user, field.name))
            for field in fields(user)
            if field.name not in OF_ONE_LOGIN
        }

    app.add_url_rule("/seen", view_func=show_user)


def answer_questions(visitor: Visitor) -> Visitor:
    """Answer what Clever asks a user before the login continues."""
    if not visitor.at_app and visitor.heading.startswith("Is this you?"):
        visitor.press("Yes")
    return visitor


def open_own_pages(site: Site, flow: str) -> tuple[str, Any]:
    """Log in, reload the callback, and return the dashboard's text and the session's user."""
    visitor = answer_questions(LOGIN_FLOWS[flow](site, USERS[flow]))
    callbacks = [hop.url for hop in visitor.hops if urlsplit(hop.url).path == "/oauth/callback"]
    visitor.open(callbacks[-1])
    answer_questions(visitor)
    dashboard = TIME_OF_DAY.sub("", visitor.open("/dashboard").text)  # of the last sync
    return dashboard, visitor.open("/seen").response.json()


def observe(site: Site) -> tuple[Any, ...]:
    """Return everything that must not depend on a switch."""
    district = site.clever.people.districts[0]
    truth = ExpectedRows(site.clever, district, site.settings.clever_api_version)
    results = [sync_site(site, "--district", district.id)]
    assert_rows_equal(truth, database_engine(site))
    pages = [open_own_pages(site, flow) for flow in USERS]
    site.clever.change_roster("name", "student", first="Adele")
    site.clever.change_roster("unshared", "teacher")
    results.append(sync_site(site, "--district", district.id))
    assert_rows_equal(truth, database_engine(site))
    assert [result.exit_code for result in results] == [0, 0]
    assert "full read." in results[0].stdout
    assert "events." in results[1].stdout
    return pages, actual_rows(database_engine(site), district.id)


_baselines: dict[tuple[str, str], tuple[Any, ...]] = {}


def assert_nothing_changes(folder: Path, row: Row) -> None:
    key = (row.get("version", "v3.0"), row.get("client", "simulator"))
    if key not in _baselines:
        (folder / "baseline").mkdir()
        own = dict(zip(("version", "client"), key, strict=True))
        with site_with(folder / "baseline", own) as site:
            _baselines[key] = observe(site)
    (folder / "app").mkdir()
    with site_with(folder / "app", row) as site:
        (pages, rows), (expected_pages, expected_rows) = observe(site), _baselines[key]
    for page, expected_page in zip(pages, expected_pages, strict=True):
        assert page == expected_page
    assert rows == expected_rows


def other_values(position: int) -> Row:
    """Return every switch with one of its other values."""
    return {name: switch.others[position] for name, switch in SWITCHES.items()}


@pytest.mark.parametrize("position", [0, -1], ids=["next value of all", "last value of all"])
def test_an_app_works_in_the_same_way_with_other_values_of_all_switches(
    tmp_path: Path, position: int
) -> None:
    assert_nothing_changes(tmp_path, other_values(position) | {"client": "simulator-oidc"})


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, switch in SWITCHES.items() for value in switch.others],
)
def test_an_app_works_in_the_same_way_with_each_value_of_a_switch(
    tmp_path: Path, name: str, value: str | bool
) -> None:
    client = "simulator-oidc" if name.startswith("id_token") else "simulator"
    assert_nothing_changes(tmp_path, {name: value, "client": client})


ALL_PAIRS = pairwise(
    {"version": VERSIONS, "client": CLIENTS}
    | {name: tuple(switch.behaviors) for name, switch in SWITCHES.items()}
)


@pytest.mark.long
@pytest.mark.parametrize("row", ALL_PAIRS, ids=range(len(ALL_PAIRS)))
def test_an_app_works_in_the_same_way_with_each_pair_of_values(tmp_path: Path, row: Row) -> None:
    assert_nothing_changes(tmp_path, row)
