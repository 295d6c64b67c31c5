"""Tests the record cache: districts and schools for ten minutes, never a user's data."""

from __future__ import annotations

import pytest

from clever_login.clever import profile
from clever_login.clever.profile import RecordCache
from tests.conftest import SiteMaker
from tests.support.login_flows import by_button
from tests.support.running_app import Site


def count_requests(site: Site, collection: str) -> int:
    """Return how many requests Clever received for records of this kind."""
    return sum(f"/{collection}/" in request["path"] for request in site.clever.received_requests())


def test_two_people_of_one_school_share_one_request_for_district_and_school(
    site: Site,
) -> None:
    ada = site.person("student")
    other = next(
        person
        for person in site.clever.people.people_of(ada.district)
        if person.roles == ("student",) and person.schools == ada.schools and person is not ada
    )
    for person in (ada, other):
        visitor = by_button(site, person.user_name)
        assert person.name.full in visitor.text
        assert person.district.name in visitor.text
        assert person.schools[0].name in visitor.text
    assert (
        count_requests(site, "districts"),
        count_requests(site, "schools"),
        count_requests(site, "users"),
    ) == (1, 1, 2)


def test_another_districts_record_is_requested_separately(site: Site) -> None:
    for user_name in ("student", "accents"):
        person = site.person(user_name)
        assert person.district.name in by_button(site, user_name).text
    assert count_requests(site, "districts") == len({"student", "accents"})


def test_a_cached_school_is_not_shown_to_a_user_of_another_district(site: Site) -> None:
    school = site.person("student").schools[0]
    assert school.name in by_button(site, "student").text
    other = site.person("accents")
    assert other.district != school.district
    record = {"id": other.id, "district": other.district.id}
    roles = {"student": {"school": school.id, "schools": [school.id]}}
    site.clever.add_fault("user", fields={"data": {**record, "roles": roles}})
    visitor = by_button(site, "accents")
    assert visitor.role == "student"
    assert school.name not in visitor.text


@pytest.mark.parametrize("status", [404, 503])
def test_a_refused_or_failed_school_request_is_not_cached(site: Site, status: int) -> None:
    school = site.person("student").schools[0].name
    site.clever.add_fault("school", times=2, status=status)  # a 503 is retried once
    assert school not in by_button(site, "student").text
    site.clever.clear_faults()
    assert school in by_button(site, "student").text


def test_a_token_that_may_not_read_its_own_user_gets_nothing_from_the_cache(
    site: Site,
) -> None:
    assert by_button(site, "student").role == "student"
    site.clever.add_fault("user", status=404)
    site.clever.add_fault("district", status=404)
    visitor = by_button(site, "teacher")
    assert site.person("teacher").district.name not in visitor.text
    assert "Your district: not shared with this app" in visitor.text


def test_different_apps_and_api_versions_share_no_cached_records(make_site: SiteMaker) -> None:
    for version in ("v3.0", "v2.1"):
        site = make_site(clever_api_version=version)
        assert by_button(site, "student").role == "student"
        assert count_requests(site, "districts") == 1


def test_a_cached_record_expires_after_ten_minutes() -> None:
    now, values = [0.0], iter(["first", "second"])
    records = RecordCache(lambda: now[0])
    key = ("v3.0", "district", "school", "1")
    assert not records.knows(key)
    for moment, expected in ((0.0, "first"), (599.0, "first"), (600.0, "second")):
        now[0] = moment
        assert records.read(key, lambda: next(values)) == expected
        assert records.knows(key)


def test_the_cache_evicts_the_oldest_records_when_full() -> None:
    records = RecordCache()
    keys = [
        ("v3.0", "district", "school", str(number))
        for number in range(profile.MAX_CACHED_RECORDS + 1)
    ]
    for key in keys:
        records.read(key, str)
    assert [records.knows(key) for key in (keys[0], keys[1], keys[-1])] == [False, True, True]


def test_a_fetch_that_raises_is_not_cached() -> None:
    records, key = RecordCache(), ("v3.0", "district", "school", "1")
    with pytest.raises(KeyError):
        records.read(key, dict[str, str]().popitem)
    assert not records.knows(key)
    assert records.read(key, lambda: "found") == "found"
