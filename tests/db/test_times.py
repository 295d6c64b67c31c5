"""Tests that a time of any zone is stored as the same moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from clever_login.db.models import Person
from tests.conftest import SiteMaker
from tests.support.account_app import database_of, make_account_app

HONOLULU = timezone(timedelta(hours=-10))


@pytest.mark.parametrize("zone", [UTC, HONOLULU], ids=["UTC", "Honolulu"])
def test_a_time_is_read_back_as_the_same_moment_in_utc(
    make_site: SiteMaker, database_url: str | None, zone: timezone
) -> None:
    moment = datetime(2026, 12, 31, 23, 30, tzinfo=zone)
    site = make_account_app(make_site, database_url)
    with database_of(site).begin() as session:
        session.add(Person(id="ours", last_login=moment))
    with database_of(site).read_session() as session:
        stored = session.get_one(Person, "ours").last_login
    assert stored == moment
    assert stored is not None
    assert stored.tzinfo is UTC
