"""Tests which logins are refused while requests wait for a thread."""

from __future__ import annotations

import pytest

from clever_login.auth import load_shedding
from clever_login.server.contract import LONG_WAIT_SECONDS, QUEUE_SECONDS_KEY
from tests.support.fake_time import fake_time
from tests.support.running_app import Site


def start_login(site: Site, waited: float) -> int:
    """Return the status of a login whose request waited for so many seconds."""
    assert site.app is not None
    browser = site.app.test_client()
    response = browser.get(
        "/login", base_url=site.url, environ_overrides={QUEUE_SECONDS_KEY: waited}
    )
    if response.status_code == 503:
        assert response.get_json()["code"] == "crowded"
        assert response.headers["Retry-After"] == "60"
    return response.status_code


def test_a_login_is_refused_if_it_waited_and_so_did_those_of_the_last_seconds(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = fake_time(monkeypatch, load_shedding)
    monkeypatch.setattr(load_shedding, "_queue_time", load_shedding.QueueTime())
    statuses = []
    for waited in (2.0, 2.0, 2.0, LONG_WAIT_SECONDS, 2.0):
        clock.sleep(0.5)
        statuses.append(start_login(site, waited))
    assert statuses == [302, 503, 503, 302, 503]
    clock.sleep(60)
    assert start_login(site, 0.4) == 302
