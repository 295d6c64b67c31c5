"""District and school are asked for once in ten minutes; nothing of a person ever is kept."""

from __future__ import annotations

import pytest

from clever_login.api import kept
from clever_login.api.kept import Kept
from tests.conftest import SiteMaker
from tests.entries import by_button
from tests.sites import Site


def asked(site: Site, collection: str) -> int:
    """How often Clever was asked for a record of this kind."""
    return sum(f"/{collection}/" in each["path"] for each in site.clever.journal())


def test_two_people_of_a_school_ask_for_district_and_school_once_and_each_for_themselves(
    site: Site,
) -> None:
    ada = site.person("student")
    other = next(
        each
        for each in site.clever.people.people_of(ada.district)
        if each.roles == ("student",) and each.schools == ada.schools and each is not ada
    )
    for person in (ada, other):
        visitor = by_button(site, person.user_name)
        assert person.name.full in visitor.text
        assert person.district.name in visitor.text
        assert person.schools[0].name in visitor.text
    assert (asked(site, "districts"), asked(site, "schools"), asked(site, "users")) == (1, 1, 2)


def test_a_district_of_its_own_is_asked_for(site: Site) -> None:
    for user_name in ("student", "accents"):
        person = site.person(user_name)
        assert person.district.name in by_button(site, user_name).text
    assert asked(site, "districts") == len({"student", "accents"})


@pytest.mark.parametrize("status", [404, 503])
def test_a_school_that_was_refused_or_failed_is_asked_for_again(site: Site, status: int) -> None:
    school = site.person("student").schools[0].name
    site.clever.fault("school", times=2, status=status)  # 503 is tried twice
    assert school not in by_button(site, "student").text
    site.clever.clear_faults()
    assert school in by_button(site, "student").text


def test_who_may_not_read_their_own_record_is_served_nothing_that_others_have_read(
    site: Site,
) -> None:
    assert by_button(site, "student").role == "student"
    site.clever.fault("user", status=404)
    site.clever.fault("district", status=404)
    visitor = by_button(site, "teacher")
    assert site.person("teacher").district.name not in visitor.text
    assert "Your district: not shared with this app" in visitor.text


def test_apps_and_versions_share_nothing(make_site: SiteMaker) -> None:
    for version in ("v3.0", "v2.1"):
        site = make_site(clever_api_version=version)
        assert by_button(site, "student").role == "student"
        assert asked(site, "districts") == 1


def test_a_record_is_read_anew_after_ten_minutes() -> None:
    now, answers = [0.0], iter(["first", "second"])
    records = Kept(lambda: now[0])
    key = ("v3.0", "district", "school", "1")
    assert not records.knows(key)
    for moment, expected in ((0.0, "first"), (599.0, "first"), (600.0, "second")):
        now[0] = moment
        assert records.read(key, lambda: next(answers)) == expected
        assert records.knows(key)


def test_the_oldest_go_when_there_are_too_many() -> None:
    records = Kept()
    keys = [("v3.0", "district", "school", str(number)) for number in range(kept.MOST + 1)]
    for key in keys:
        records.read(key, str)
    assert [records.knows(key) for key in (keys[0], keys[1], keys[-1])] == [False, True, True]


def test_what_raises_is_not_remembered() -> None:
    records, key = Kept(), ("v3.0", "district", "school", "1")
    with pytest.raises(KeyError):
        records.read(key, dict[str, str]().popitem)
    assert not records.knows(key)
    assert records.read(key, lambda: "found") == "found"
