"""Temporary failures of Clever: a login tries once more, a district read several times."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import format_datetime, formatdate, parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from clever_login.errors import CleverUnavailable, NotJson
from clever_simulator.server import Running, running
from tests import school
from tests.conftest import SiteMaker
from tests.entries import by_button, to_the_callback
from tests.reading import config, job
from tests.sites import Site
from tests.truth import Truth, assert_equal, engine_of, held, sync

Fault = dict[str, Any]
NO_WAIT: Fault = {"headers": {"X-RateLimit-Reset": None, "X-RateLimit-Remaining": None}}
STATUSES = (408, 425, 500, 502, 503, 504, *range(520, 531))
TRUNCATED: list[Fault] = [
    {"body": "truncated"},
    {"body": "empty"},
    {"body": "html"},
    *({"cut": how} for how in ("length", "chunked", "gzip", "damaged", "reset")),
]
OTHERS: list[Fault] = [
    {"status": 429, **NO_WAIT},
    {"drop": "before"},
    {"drop": "after"},
    *TRUNCATED,
]
TEMPORARY = [*({"status": status} for status in STATUSES), *OTHERS]
AT_A_LOGIN = [*({"status": status} for status in (408, 425, 500, 504, 520, 530)), *OTHERS]


def posts_of_codes(site: Site) -> int:
    """How many times a code was sent to the token endpoint."""
    asked = [(each["method"], each["path"]) for each in site.clever.journal()]
    return asked.count(("POST", "/oauth/tokens"))


# Logins


def test_a_login_reads_again_after_each_kind_of_temporary_failure(site: Site) -> None:
    visitor = site.visitor()
    for fault in AT_A_LOGIN:
        site.clever.fault("me", **fault)
        assert to_the_callback(site, "student", visitor).open(visitor.url).path == "/dashboard"
    assert site.clever.app.extensions["clever_simulator"].faults.read() == []
    assert posts_of_codes(site) == len(AT_A_LOGIN)  # no login was restarted


def test_a_login_does_not_read_again_what_will_not_change(site: Site) -> None:
    for fault in ({"status": 400}, {"status": 501}, {"body": "[]"}, {"status": 404}):
        site.clever.fault("user", **fault)
        assert by_button(site, "student").path == "/dashboard"
    asked = [each for each in site.clever.journal() if each["path"].startswith("/v3.0/users/")]
    assert len(asked) == 4


def test_a_code_is_never_sent_twice_and_a_lost_answer_restarts_the_login_with_another(
    site: Site,
) -> None:
    visitor = site.visitor()
    restarted = [each for each in AT_A_LOGIN if each.get("status") != 429]
    for number, fault in enumerate(restarted, start=1):
        site.clever.fault("token", **fault)
        to_the_callback(site, "student", visitor).open(visitor.url)
        assert visitor.path == "/dashboard", fault
        assert posts_of_codes(site) == 2 * number, fault
        callbacks = [hop.url for hop in visitor.hops if "/oauth/callback" in hop.url]
        assert len(set(callbacks)) == 2, fault


@pytest.mark.parametrize("status", [429, 503])
def test_a_token_endpoint_that_asks_to_wait_is_not_asked_again_at_once(
    site: Site, status: int
) -> None:
    site.clever.fault("token", status=status)
    visitor = by_button(site, "student")
    assert (visitor.code, posts_of_codes(site)) == ("clever_unavailable", 1)


@pytest.fixture
def lookups_fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[Site, int], None]:
    """Let the next lookups of Clever's host fail, as where DNS does not answer."""

    def fail(site: Site, times: int) -> None:
        real, clever, left = socket.getaddrinfo, urlsplit(site.clever.url).port, [times]

        def lookup(host: Any, port: Any, *args: Any, **parts: Any) -> Any:
            if port == clever and left[0]:
                left[0] -= 1
                raise socket.gaierror(socket.EAI_AGAIN, "temporary failure in name resolution")
            return real(host, port, *args, **parts)

        monkeypatch.setattr(socket, "getaddrinfo", lookup)

    return fail


def test_a_name_that_is_not_found_at_first_costs_nobody_the_login(
    site: Site, lookups_fail: Callable[[Site, int], None]
) -> None:
    visitor = to_the_callback(site, "student")
    lookups_fail(site, 1)  # of the exchange: nothing was sent, so the code is still good
    assert visitor.open(visitor.url).path == "/dashboard"
    assert (posts_of_codes(site), len(visitor.hops)) == (1, 2)


def test_a_name_that_is_not_found_twice_has_a_page(
    site: Site, lookups_fail: Callable[[Site, int], None]
) -> None:
    visitor = to_the_callback(site, "student")
    lookups_fail(site, 2)
    assert visitor.open(visitor.url).code == "clever_unavailable"


def in_seconds(seconds: int) -> str:
    """That moment as a date."""
    return formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(("status", "form"), [(429, str), (520, in_seconds)])
def test_a_login_waits_as_clever_asks_if_there_is_time(
    site: Site, status: int, form: Callable[[int], str]
) -> None:
    visitor = to_the_callback(site, "student")
    site.clever.fault("me", status=status, headers={"Retry-After": form(2)})
    assert visitor.open(visitor.url).path == "/dashboard"
    first, second = (
        datetime.fromisoformat(each["time"])
        for each in site.clever.journal()
        if each["path"] == "/v3.0/me"
    )
    assert (second - first).total_seconds() > 0.9  # a date has whole seconds
    visitor = to_the_callback(site, "student")
    site.clever.fault("me", status=status, headers={"Retry-After": form(600)})
    assert visitor.open(visitor.url).code == "clever_unavailable"
    asked = [each for each in site.clever.journal() if each["path"] == "/v3.0/me"]
    assert len(asked) == 3


# Districts


@pytest.fixture(scope="module")
def one_clever() -> Iterator[Running]:
    with running(config()) as started:
        yield started


@pytest.fixture
def clever(one_clever: Running) -> Running:
    one_clever.configure(config())
    one_clever.reset()
    return one_clever


@pytest.mark.parametrize("endpoint", ["data", "token"])
def test_a_district_is_read_to_the_end_through_each_kind_of_temporary_failure(
    clever: Running, endpoint: str
) -> None:
    for fault in TEMPORARY:
        clever.fault(endpoint, times=5, **fault)
        reader = job(clever)
        assert len(list(reader.roster.sections())) > 9, fault
        assert reader.time.slept == [1, 2, 4, 8, 16], fault


def test_after_six_attempts_a_district_read_says_what_is_wrong(clever: Running) -> None:
    for fault in TEMPORARY:
        clever.fault("data", times=0, **fault)
        reader = job(clever)
        with pytest.raises((CleverUnavailable, NotJson)) as error:
            list(reader.roster.sections())
        assert len(reader.time.slept) == 5, fault
        if "body" in fault or fault.get("cut") == "gzip":
            assert "was not complete JSON 6 times in a row" in str(error.value), fault
        clever.clear_faults()


@pytest.mark.parametrize(
    ("asked", "waited"),
    [("30", 30), ("0", 1), ("-5", 1), ("86400", 61), ("soon", 1), ("nan", 1), ("1e999", 1)],
)
def test_a_wait_in_seconds_is_kept_to_within_a_minute(
    clever: Running, asked: str, waited: float
) -> None:
    for status in (429, 503, 504):
        clever.fault("data", status=status, headers={"Retry-After": asked, **NO_WAIT["headers"]})
        reader = job(clever)
        assert list(reader.roster.sections())
        assert reader.time.slept == [waited], status


@pytest.mark.parametrize(("seconds", "waited"), [(30, 30), (-30, 1), (86400, 61), (10**10, 61)])
def test_a_wait_until_a_date_is_kept_to_within_a_minute_by_clevers_clock(
    clever: Running, seconds: int, waited: float
) -> None:
    """Clever's clock is an hour behind ours: its two dates are what counts."""
    now = time.time() - 3600
    dates = {"Date": formatdate(now, usegmt=True), "Retry-After": a_date(now + seconds)}
    clever.fault("data", status=503, headers=dates)
    reader = job(clever)
    assert list(reader.roster.sections())
    assert reader.time.slept == [waited]


def a_date(moment: float) -> str:
    try:
        return formatdate(moment, usegmt=True)
    except (ValueError, OverflowError):
        return format_datetime(parsedate_to_datetime("Fri, 31 Dec 9999 23:59:59 GMT"), usegmt=True)


# flask clever sync and districts


@pytest.fixture
def synced_site(make_site: SiteMaker, monkeypatch: pytest.MonkeyPatch) -> Site:
    """An app with tables; waiting takes no time."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    return school.make(make_site, None)


def test_a_page_that_stays_truncated_ends_the_sync_of_its_district_alone(
    synced_site: Site,
) -> None:
    first, *others = synced_site.clever.people.districts
    synced_site.clever.fault("data", body="truncated", times=6)
    result = sync(synced_site)
    assert result.exit_code == 1
    assert f"({first.id}): failed. Clever's answer was not complete JSON 6 times" in result.stdout
    assert "look for a proxy on the way to Clever." in result.stdout
    assert result.stdout.count("full read.") == len(others)
    assert "Waiting 16 s for Clever." in result.stderr
    for district in others:
        assert_equal(Truth(synced_site.clever, district), engine_of(synced_site))
    assert sync(synced_site).exit_code == 0


def test_one_bad_answer_of_the_list_of_tokens_does_not_end_a_sync(synced_site: Site) -> None:
    for fault in ({"status": 504}, {"status": 522}, {"body": "truncated"}, {"cut": "length"}):
        synced_site.clever.fault("token", **fault)
        assert sync(synced_site).exit_code == 0, fault


def test_a_list_of_tokens_that_stays_bad_ends_the_command_with_a_sentence(
    synced_site: Site,
) -> None:
    for fault, words in (
        ({"status": 504}, "Clever does not answer now: Clever answered 504 too many times"),
        ({"body": "truncated"}, "Clever's answer was not complete JSON 6 times in a row"),
    ):
        synced_site.clever.fault("token", times=6, **fault)
        result = sync(synced_site)
        assert (result.exit_code, result.stdout) == (1, "")
        last = result.stderr.splitlines()[-1]
        assert last.startswith(f"Error: {words}")
        assert "Try again" in last


def test_a_district_whose_token_cannot_be_looked_up_does_not_end_the_sync_of_others(
    synced_site: Site,
) -> None:
    sync(synced_site)
    clever = synced_site.clever
    first, second, third = clever.people.districts
    before = held(engine_of(synced_site), second.id)
    listed = requests.get(
        f"{clever.url}/oauth/tokens?owner_type=district",
        auth=("simulator", "simulator-secret"),
        timeout=10,
    ).json()
    listed["data"] = [each for each in listed["data"] if each["owner"]["id"] != second.id]
    clever.fault("token", body=json.dumps(listed))
    clever.fault("token", status=522, times=6)
    result = sync(synced_site)
    assert result.exit_code == 1
    assert f"{second.name} ({second.id}): failed. Clever does not answer now" in result.stdout
    assert held(engine_of(synced_site), second.id) == before
    for district in (first, third):
        assert f"({district.id}): events." in result.stdout


def test_a_district_that_cannot_be_read_now_does_not_hide_the_others(synced_site: Site) -> None:
    synced_site.clever.fault("district", status=522, times=6)
    assert synced_site.app
    result = synced_site.app.test_cli_runner().invoke(args=["clever", "districts", "--json"])
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == len(synced_site.clever.people.districts) - 1
    assert "Clever answered 522 too many times in a row" in result.stderr
