"""The move from v2.1 to v3: several rows of one person become one, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from clever_login.school.tables import Claim, Person, now
from tests.conftest import SiteMaker
from tests.entries import by_button
from tests.school import account, kept, make, row
from tests.sites import Site
from tests.truth import Truth, assert_equal, engine_of, sync
from tests.visitor import Visitor

SECRET = "the same before and after the move: 0123456789"  # of a test
Versions = Callable[[str], Site]


@pytest.fixture
def version(make_site: SiteMaker, database_url: str | None) -> Versions:
    """The same app with another CLEVER_API_VERSION, on the same database and sessions."""
    return lambda name: make(make_site, database_url, clever_api_version=name, secret_key=SECRET)


def log_in_as(site: Site, user_name: str, role: str) -> Visitor:
    """Before v3 Clever asks which of their accounts a person means."""
    (post,) = [each for each in site.person(user_name).posts if each.role == role]
    return by_button(site, user_name).press(post.legacy_id)


def rows_of(site: Site, user_name: str) -> dict[str, Person]:
    """The rows of a person by role, while each role has its own."""
    with kept(site).read() as session:
        return {
            post.role: session.scalars(
                select(Person).where(Person.clever_id == post.legacy_id)
            ).one()
            for post in site.person(user_name).posts
        }


def assert_equal_everywhere(site: Site) -> None:
    for district in site.clever.people.districts:
        truth = Truth(site.clever, district, site.settings.clever_api_version)
        assert_equal(truth, engine_of(site))


def test_a_sync_of_v3_finds_everybodys_row_and_makes_one_of_several(version: Versions) -> None:
    old = version("v2.1")
    sync(old)
    before = rows_of(old, "three_roles")
    new = version("v3.0")
    done = sync(new)
    assert "this is v3.0" in done.stderr
    assert "people: 1 changed\n" in done.stdout  # the one of the main district with two rows
    assert_equal_everywhere(new)
    (stays,) = [each for each in before.values() if not row(new, each.id).merged_into]
    others = [row(new, each.id) for each in before.values() if each.id != stays.id]
    assert row(new, stays.id).clever_id == new.person("three_roles").id
    assert {each.merged_into for each in others} == {stays.id}
    assert {(each.clever_id, each.last_name, each.district_id) for each in others} == {
        (None, "", None)
    }
    assert "nothing changed" in sync(new, "--full").stdout


@pytest.mark.parametrize("last", ["teacher", "staff"])
def test_the_account_of_the_last_login_stays_with_what_was_in_the_other(
    version: Versions, last: str
) -> None:
    old = version("v2.1")
    sync(old)
    before = rows_of(old, "teacher_admin")
    first = "staff" if last == "teacher" else "teacher"
    visitors = [log_in_as(old, "teacher_admin", role) for role in (first, last)]
    assert [account(each) for each in visitors] == [before[first].id, before[last].id]
    with kept(old).begin() as session:
        session.get_one(Person, before[first].id).preferred_name = "Tom"
        until = now() + timedelta(days=1)
        session.add(Claim(token_hash="a" * 64, person_id=before[first].id, expires_at=until))
    began = row(old, before[first].id).first_login
    new = version("v3.0")
    sync(new)
    stays = row(new, before[last].id)
    assert (stays.clever_id, stays.preferred_name) == (new.person("teacher_admin").id, "Tom")
    assert (stays.roles, stays.first_login) == (["teacher", "staff"], began)
    assert row(new, before[first].id).merged_into == stays.id
    with kept(new).read() as session:
        assert session.scalars(select(Claim.person_id)).all() == [stays.id]
    assert_equal_everywhere(new)
    assert [each.open("/dashboard").path for each in visitors] == ["/", "/"]
    assert account(by_button(new, "teacher_admin")) == stays.id


def test_who_logs_in_during_the_move_has_one_row_whoever_was_first(version: Versions) -> None:
    sync(version("v2.1"))
    new = version("v3.0")
    everybody = new.clever.people.people_of(new.clever.people.districts[0])
    staff = [each.user_name for each in everybody if "student" not in each.roles]
    with ThreadPoolExecutor(9) as pool:
        whole = pool.submit(sync, new)
        paths = set(pool.map(lambda name: by_button(new, name).path, staff))
        assert whole.result(120).exit_code == 0
    assert paths == {"/dashboard"}
    assert_equal_everywhere(new)
