"""Tests third-party Clever clients against the simulator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from clever_simulator.config import Config, RegisteredApp, Tier
from clever_simulator.directory.models import District
from clever_simulator.server import RunningSimulator
from tests.support import django_clients
from tests.support.browser_client import Visitor
from tests.support.matrix import matrix
from tests.support.simulators import run_in_background

BEGIN = {"allauth": "/allauth/clever/login/", "social": "/social/login/clever/"}
PEERS = sorted(BEGIN)


@pytest.fixture(scope="module", autouse=True)
def _site() -> None:
    django_clients.set_up_django()


@pytest.fixture
def clever(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """A simulator at the hosts that both clients call."""
    monkeypatch.setenv("NO_PROXY", "*")
    django_clients.clear_database()
    with run_in_background() as started:
        register_client(started)
        django_clients.point_clients_at(started.url, monkeypatch)
        yield started


def register_client(clever: RunningSimulator, tier: Tier = "secure_sync") -> None:
    # Neither client sends HTTP Basic.
    app = RegisteredApp(
        client_id=django_clients.CLIENT_ID,
        client_secret=django_clients.CLIENT_SECRET,
        redirect_uris=tuple(django_clients.CALLBACKS.values()),
        tier=tier,
        secret_in_body=True,
    )
    clever.configure(Config(apps=(app,)))


def log_in_at_clever(
    clever: RunningSimulator, peer: str, user_name: str, district: District | None = None
) -> tuple[Client, str]:
    """Log in at Clever from the client's site. Returns the browser and the callback's path."""
    browser = Client()
    redirect = browser.post(BEGIN[peer])
    at_clever = Visitor(f"http://{django_clients.HOST}")
    at_clever.stop_at = urlsplit(django_clients.CALLBACKS[peer]).path
    district = district or clever.people.districts[0]
    at_clever.open(f"{redirect['Location']}&district_id={district.id}")
    at_clever.press("Log in", username=user_name, password="clever")
    assert at_clever.url.startswith(django_clients.CALLBACKS[peer])
    callback = urlsplit(at_clever.url)
    return browser, f"{callback.path}?{callback.query}"


def log_in(
    clever: RunningSimulator, peer: str, user_name: str, district: District | None = None
) -> Any:
    """Log in, and return the account of this person on the client's site."""
    browser, callback = log_in_at_clever(clever, peer, user_name, district)
    assert "state=" in callback
    assert browser.get(callback).status_code == 302
    return django_clients.logged_in_user(browser)


@pytest.mark.parametrize(
    ("user_name", "tier", "peer"),
    matrix(["student", "teacher", "school_admin", "district_admin"], ["secure_sync", "sso"], PEERS),
)
def test_a_person_who_logs_in_twice_at_a_third_party_client_is_the_same_user(
    clever: RunningSimulator, peer: str, tier: Tier, user_name: str
) -> None:
    register_client(clever, tier)
    person = clever.people.person(user_name)
    first, second = (log_in(clever, peer, user_name) for _ in range(2))
    assert first.pk == second.pk
    assert (first.first_name, first.last_name) == (person.name.first, person.name.last)
    assert first.email == person.email


@pytest.mark.parametrize(
    ("user_name", "peer"), matrix(["accents", "hebrew", "four_bytes", "three_roles"], PEERS)
)
def test_unusual_people_log_in_at_third_party_clients(
    clever: RunningSimulator, peer: str, user_name: str
) -> None:
    person = clever.people.person(user_name)
    user = log_in(clever, peer, user_name, person.district)
    assert (user.first_name, user.last_name) == (person.name.first, person.name.last)


def test_a_person_without_an_email_logs_in_with_allauth(clever: RunningSimulator) -> None:
    user = log_in(clever, "allauth", "sparse")
    assert (user.first_name, user.email) == (clever.people.person("sparse").name.first, "")


def test_social_auth_fails_without_an_email_which_clever_does_not_guarantee(
    clever: RunningSimulator,
) -> None:
    # It splits the email before it checks whether it needs the parts.
    browser, callback = log_in_at_clever(clever, "social", "sparse")
    with pytest.raises(AttributeError, match="split"):
        browser.get(callback)


@pytest.mark.parametrize("peer", PEERS)
def test_a_forged_state_logs_nobody_in_at_third_party_clients(
    clever: RunningSimulator, peer: str
) -> None:
    browser, callback = log_in_at_clever(clever, peer, "student")
    forged = re.sub("state=[^&]+", "state=forged", callback)
    browser.raise_request_exception = False  # one of the clients raises an exception
    browser.get(forged)
    with pytest.raises(KeyError):
        django_clients.logged_in_user(browser)
