"""Tests temporary failures of Clever: a login retries once, a district read several times."""

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

from clever_login.clever.deadlines import Deadline
from clever_login.clever.http import MAX_JITTER_SECONDS, RATE_LIMIT_PAUSE, HttpClient
from clever_login.errors import CleverUnavailable, NotJson
from clever_simulator.server import RunningSimulator
from tests.conftest import SiteMaker
from tests.support import account_app
from tests.support.expected_rows import (
    ExpectedRows,
    actual_rows,
    assert_rows_equal,
    database_engine,
    sync_site,
)
from tests.support.login_flows import by_button, stop_before_callback
from tests.support.roster_job import make_job, simulator_config
from tests.support.running_app import Site
from tests.support.simulators import run_in_background

Fault = dict[str, Any]
NO_WAIT: Fault = {"headers": {"X-RateLimit-Reset": None, "X-RateLimit-Remaining": None}}
STATUSES = (408, 425, 500, 502, 503, 504, *range(520, 531))
TRUNCATED: list[Fault] = [
    {"body": "truncated"},
    {"body": "empty"},
    {"body": "html"},
    *({"cut": kind} for kind in ("length", "chunked", "gzip", "damaged", "reset")),
]
OTHER_FAULTS: list[Fault] = [
    {"status": 429, **NO_WAIT},
    {"drop": "before"},
    {"drop": "after"},
    *TRUNCATED,
]
TEMPORARY = [*({"status": status} for status in STATUSES), *OTHER_FAULTS]
LOGIN_FAULTS = [*({"status": status} for status in (408, 425, 500, 504, 520, 530)), *OTHER_FAULTS]


def count_code_posts(site: Site) -> int:
    """Return how many codes were sent to the token endpoint."""
    requests_sent = [
        (request["method"], request["path"]) for request in site.clever.received_requests()
    ]
    return requests_sent.count(("POST", "/oauth/tokens"))


# Logins


class UnhurriedLogin(Deadline):
    """The time of a login, which records each pause and does not sleep."""

    def __init__(self) -> None:
        super().__init__(10)
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        return True


@pytest.mark.parametrize(
    ("fault", "shortest", "longest"),
    [
        ({"status": 429, **NO_WAIT}, RATE_LIMIT_PAUSE, RATE_LIMIT_PAUSE),
        ({"status": 429, "headers": {**NO_WAIT["headers"], "Retry-After": "3"}}, 3, 3),
        ({"status": 503, **NO_WAIT}, 0, MAX_JITTER_SECONDS),
        ({"body": "truncated"}, 0, MAX_JITTER_SECONDS),
    ],
)
def test_a_login_pauses_as_long_as_clever_says_and_a_second_after_a_429(
    site: Site, fault: Fault, shortest: float, longest: float
) -> None:
    site.clever.add_fault("discovery", **fault)
    request = requests.Request("GET", f"{site.clever.url}/.well-known/openid-configuration")
    login = UnhurriedLogin()
    assert HttpClient().send(request, login).status == 200
    (slept,) = login.slept
    assert shortest <= slept <= longest


def test_a_login_retries_each_kind_of_temporary_failure(site: Site) -> None:
    visitor = site.visitor()
    for fault in LOGIN_FAULTS:
        site.clever.add_fault("me", **fault)
        assert stop_before_callback(site, "student", visitor).open(visitor.url).path == "/dashboard"
    assert site.clever.app.extensions["clever_simulator"].faults.read() == []
    assert count_code_posts(site) == len(LOGIN_FAULTS)  # no login was restarted


def test_a_login_does_not_retry_a_permanent_failure(site: Site) -> None:
    for fault in ({"status": 400}, {"status": 501}, {"body": "[]"}, {"status": 404}):
        site.clever.add_fault("user", **fault)
        assert by_button(site, "student").path == "/dashboard"
    user_requests = [
        request
        for request in site.clever.received_requests()
        if request["path"].startswith("/v3.0/users/")
    ]
    assert len(user_requests) == 4


def test_a_code_is_never_sent_twice_and_a_lost_response_restarts_the_login(
    site: Site,
) -> None:
    visitor = site.visitor()
    faults = [fault for fault in LOGIN_FAULTS if fault.get("status") != 429]
    for number, fault in enumerate(faults, start=1):
        site.clever.add_fault("token", **fault)
        stop_before_callback(site, "student", visitor).open(visitor.url)
        assert visitor.path == "/dashboard", fault
        assert count_code_posts(site) == 2 * number, fault
        callbacks = [hop.url for hop in visitor.hops if "/oauth/callback" in hop.url]
        assert len(set(callbacks)) == 2, fault


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_token_endpoint_is_not_retried_at_once(site: Site, status: int) -> None:
    site.clever.add_fault("token", status=status)
    visitor = by_button(site, "student")
    assert (visitor.code, count_code_posts(site)) == ("clever_unavailable", 1)


@pytest.fixture
def lookups_fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[Site, int], None]:
    """Return a function that makes the next lookups of Clever's host fail, as when DNS is down."""

    def fail(site: Site, times: int) -> None:
        real, clever, remaining = socket.getaddrinfo, urlsplit(site.clever.url).port, [times]

        def lookup(host: Any, port: Any, *args: Any, **parts: Any) -> Any:
            if port == clever and remaining[0]:
                remaining[0] -= 1
                raise socket.gaierror(socket.EAI_AGAIN, "temporary failure in name resolution")
            return real(host, port, *args, **parts)

        monkeypatch.setattr(socket, "getaddrinfo", lookup)

    return fail


def test_a_single_dns_failure_does_not_fail_the_login(
    site: Site, lookups_fail: Callable[[Site, int], None]
) -> None:
    visitor = stop_before_callback(site, "student")
    lookups_fail(site, 1)  # of the exchange: nothing was sent, so the code is still valid
    assert visitor.open(visitor.url).path == "/dashboard"
    assert (count_code_posts(site), len(visitor.hops)) == (1, 2)


def test_two_dns_failures_show_an_error_page(
    site: Site, lookups_fail: Callable[[Site, int], None]
) -> None:
    visitor = stop_before_callback(site, "student")
    lookups_fail(site, 2)
    assert visitor.open(visitor.url).code == "clever_unavailable"


def in_seconds(seconds: int) -> str:
    """Return the time in this many seconds as an HTTP date."""
    return formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(("status", "form"), [(429, str), (520, in_seconds)])
def test_a_login_waits_for_retry_after_if_there_is_time(
    site: Site, status: int, form: Callable[[int], str]
) -> None:
    visitor = stop_before_callback(site, "student")
    site.clever.add_fault("me", status=status, headers={"Retry-After": form(2)})
    assert visitor.open(visitor.url).path == "/dashboard"
    first, second = (
        datetime.fromisoformat(request["time"])
        for request in site.clever.received_requests()
        if request["path"] == "/v3.0/me"
    )
    assert (second - first).total_seconds() > 0.9  # an HTTP date has whole seconds
    visitor = stop_before_callback(site, "student")
    site.clever.add_fault("me", status=status, headers={"Retry-After": form(600)})
    assert visitor.open(visitor.url).code == "clever_unavailable"
    district_requests = [
        request for request in site.clever.received_requests() if request["path"] == "/v3.0/me"
    ]
    assert len(district_requests) == 3


# Districts


@pytest.fixture(scope="module")
def one_clever() -> Iterator[RunningSimulator]:
    with run_in_background(simulator_config()) as started:
        yield started


@pytest.fixture
def clever(one_clever: RunningSimulator) -> RunningSimulator:
    one_clever.configure(simulator_config())
    one_clever.reset()
    return one_clever


@pytest.mark.parametrize("endpoint", ["data", "token"])
def test_a_district_read_survives_each_kind_of_temporary_failure(
    clever: RunningSimulator, endpoint: str
) -> None:
    for fault in TEMPORARY:
        clever.add_fault(endpoint, times=5, **fault)
        reader = make_job(clever)
        assert len(list(reader.roster.sections())) > 9, fault
        assert reader.time.slept == [1, 2, 4, 8, 16], fault


def test_after_six_attempts_a_district_read_fails_with_the_cause(clever: RunningSimulator) -> None:
    for fault in TEMPORARY:
        clever.add_fault("data", times=0, **fault)
        reader = make_job(clever)
        with pytest.raises((CleverUnavailable, NotJson)) as error:
            list(reader.roster.sections())
        assert len(reader.time.slept) == 5, fault
        if "body" in fault or fault.get("cut") == "gzip":
            assert "was not complete JSON 6 times in a row" in str(error.value), fault
        clever.clear_faults()


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [("30", 30), ("0", 1), ("-5", 1), ("86400", 61), ("soon", 1), ("nan", 1), ("1e999", 1)],
)
def test_a_retry_after_in_seconds_is_honored_up_to_a_minute(
    clever: RunningSimulator, retry_after: str, waited: float
) -> None:
    for status in (429, 503, 504):
        clever.add_fault(
            "data", status=status, headers={"Retry-After": retry_after, **NO_WAIT["headers"]}
        )
        reader = make_job(clever)
        assert list(reader.roster.sections())
        assert reader.time.slept == [waited], status


@pytest.mark.parametrize(("seconds", "waited"), [(30, 30), (-30, 1), (86400, 61), (10**10, 61)])
def test_a_retry_after_date_is_honored_up_to_a_minute_by_clevers_clock(
    clever: RunningSimulator, seconds: int, waited: float
) -> None:
    """Clever's clock is an hour slow. Only the difference of Clever's two dates counts."""
    now = time.time() - 3600
    dates = {"Date": formatdate(now, usegmt=True), "Retry-After": a_date(now + seconds)}
    clever.add_fault("data", status=503, headers=dates)
    reader = make_job(clever)
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
    """An app with tables, in which waiting takes no time."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    return account_app.make_account_app(make_site, None)


def test_a_page_that_stays_truncated_fails_only_its_districts_sync(
    synced_site: Site,
) -> None:
    first, *other_districts = synced_site.clever.people.districts
    synced_site.clever.add_fault("data", body="truncated", times=6)
    result = sync_site(synced_site)
    assert result.exit_code == 1
    assert f"({first.id}): failed. Clever's response was not complete JSON 6 times" in result.stdout
    assert "check for a proxy between this machine and Clever." in result.stdout
    assert result.stdout.count("full read.") == len(other_districts)
    assert "Waiting 16 s before the next request to Clever." in result.stderr
    for district in other_districts:
        assert_rows_equal(ExpectedRows(synced_site.clever, district), database_engine(synced_site))
    assert sync_site(synced_site).exit_code == 0


def test_one_bad_response_of_the_token_list_does_not_end_a_sync(synced_site: Site) -> None:
    for fault in ({"status": 504}, {"status": 522}, {"body": "truncated"}, {"cut": "length"}):
        synced_site.clever.add_fault("token", **fault)
        assert sync_site(synced_site).exit_code == 0, fault


def test_a_token_list_that_stays_bad_ends_the_command_with_one_sentence(
    synced_site: Site,
) -> None:
    for fault, words in (
        ({"status": 504}, "Clever is temporarily unavailable: Clever answered 504 too many times"),
        ({"body": "truncated"}, "Clever's response was not complete JSON 6 times in a row"),
    ):
        synced_site.clever.add_fault("token", times=6, **fault)
        result = sync_site(synced_site)
        assert (result.exit_code, result.stdout) == (1, "")
        last = result.stderr.splitlines()[-1]
        assert last.startswith(f"Error: {words}")
        assert "Try again" in last


def test_a_district_whose_token_cannot_be_looked_up_does_not_end_the_sync_of_others(
    synced_site: Site,
) -> None:
    sync_site(synced_site)
    clever = synced_site.clever
    first, second, third = clever.people.districts
    before = actual_rows(database_engine(synced_site), second.id)
    token_list = requests.get(
        f"{clever.url}/oauth/tokens?owner_type=district",
        auth=("simulator", "simulator-secret"),
        timeout=10,
    ).json()
    token_list["data"] = [row for row in token_list["data"] if row["owner"]["id"] != second.id]
    clever.add_fault("token", body=json.dumps(token_list))
    clever.add_fault("token", status=522, times=6)
    result = sync_site(synced_site)
    assert result.exit_code == 1
    assert (
        f"{second.name} ({second.id}): failed. Clever is temporarily unavailable" in result.stdout
    )
    assert actual_rows(database_engine(synced_site), second.id) == before
    for district in (first, third):
        assert f"({district.id}): events." in result.stdout


def test_an_unreadable_district_does_not_hide_the_others(synced_site: Site) -> None:
    synced_site.clever.add_fault("district", status=522, times=6)
    assert synced_site.app
    result = synced_site.app.test_cli_runner().invoke(args=["clever", "districts", "--json"])
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == len(synced_site.clever.people.districts) - 1
    assert "Clever answered 522 too many times in a row" in result.stderr
