"""Tests the signals of logins, in an app with our sessions and in one with its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clever_login import signals
from tests.conftest import SiteMaker
from tests.support.browser_client import Visitor
from tests.support.existing_app import ExistingApp, start
from tests.support.login_flows import by_button, log_in_at_clever
from tests.support.running_app import Site

NAMES = ("logged_in", "logged_out", "login_failed")


@contextmanager
def recording(site: Site) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Record the signals of an app with their values."""
    recorded: list[tuple[str, dict[str, Any]]] = []
    receivers = []
    for name in NAMES:

        def receive(sender: object, name: str = name, **values: Any) -> None:
            assert sender is site.app
            recorded.append((name, values))

        receivers.append(receive)  # blinker keeps weak references
        getattr(signals, name).connect(receive, sender=site.app)
    try:
        yield recorded
    finally:
        for name, receiver in zip(NAMES, receivers, strict=True):
            getattr(signals, name).disconnect(receiver)


def test_a_login_and_a_logout_are_sent_with_the_account(site: Site) -> None:
    with recording(site) as recorded:
        visitor = by_button(site, "student")
        visitor.press("Log out")
    (_, logged_in), (_, logged_out) = recorded
    assert [name for name, _ in recorded] == ["logged_in", "logged_out"]
    assert logged_in["identity"].subject == site.person("student").id
    assert logged_in["account_id"] == logged_in["identity"].person_id == logged_out["account_id"]


def test_an_app_with_its_own_sessions_gets_its_own_account_id(make_site: SiteMaker) -> None:
    site = start(make_site, ExistingApp())
    with recording(site) as recorded:
        visitor = Visitor(site.url, checks_pages=False)
        visitor.open(f"/clever/login?district_id={site.person('student').district.id}")
        log_in_at_clever(visitor, "student").press("Log out")
    assert [(name, values["account_id"]) for name, values in recorded] == [
        ("logged_in", "Ada"),
        ("logged_out", "Ada"),
    ]


def test_a_failed_login_is_sent_with_the_code_and_reference_of_its_page(site: Site) -> None:
    with recording(site) as recorded:
        visitor = site.visitor().open("/oauth/callback?state=unknown&code=unknown")
    ((name, values),) = recorded
    assert (name, values["code"]) == ("login_failed", visitor.code)
    assert values["reference"] in visitor.text


def test_a_receiver_that_fails_stops_no_login_and_is_logged_without_its_message(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_app: object, **_values: object) -> None:
        raise ValueError(" ".join(("Ada", "Lovelace")))

    with signals.logged_in.connected_to(fail, sender=site.app):
        assert by_button(site, "student").heading == "Hi, Ada!"
    log = capsys.readouterr().err
    assert "receiver_failed" in log
    assert "fail: ValueError" in log
    assert "Ada Lovelace" not in log
