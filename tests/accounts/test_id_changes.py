"""Tests the move from v2.1 to v3: several rows of one person are merged without losing data."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from clever_login.db.models import Claim, Person, utc_now
from tests.conftest import SiteMaker
from tests.support.account_app import account_id, database_of, make_account_app, person_row
from tests.support.browser_client import Visitor
from tests.support.expected_rows import ExpectedRows, assert_rows_equal, database_engine, sync_site
from tests.support.login_flows import by_button
from tests.support.running_app import Site

SECRET = "the same before and after the move: 0123456789"  # test value
Versions = Callable[[str], Site]


@pytest.fixture
def version(make_site: SiteMaker, database_url: str | None) -> Versions:
    """Start the app with a CLEVER_API_VERSION, always with the same database and sessions."""
    return lambda name: make_account_app(
        make_site, database_url, clever_api_version=name, secret_key=SECRET
    )


def log_in_as(site: Site, user_name: str, role: str) -> Visitor:
    """Log in with one role. Before v3, Clever asks which of a person's accounts to use."""
    (post,) = [
        assignment
        for assignment in site.person(user_name).role_assignments
        if assignment.role == role
    ]
    return by_button(site, user_name).press(post.legacy_id)


def rows_of(site: Site, user_name: str) -> dict[str, Person]:
    """Return the rows of a person by role, while each role has a row."""
    with database_of(site).read_session() as session:
        return {
            post.role: session.scalars(
                select(Person).where(Person.clever_id == post.legacy_id)
            ).one()
            for post in site.person(user_name).role_assignments
        }


def assert_equal_everywhere(site: Site) -> None:
    for district in site.clever.people.districts:
        truth = ExpectedRows(site.clever, district, site.settings.clever_api_version)
        assert_rows_equal(truth, database_engine(site))


def test_the_first_v3_sync_finds_every_persons_row_and_merges_duplicates(version: Versions) -> None:
    old = version("v2.1")
    sync_site(old)
    before = rows_of(old, "three_roles")
    new = version("v3.0")
    result = sync_site(new)
    assert "this sync reads v3.0" in result.stderr
    assert "people: 1 changed\n" in result.stdout  # one person of the main district has two rows
    assert_equal_everywhere(new)
    (survivor,) = [
        person for person in before.values() if not person_row(new, person.id).merged_into
    ]
    duplicates = [
        person_row(new, person.id) for person in before.values() if person.id != survivor.id
    ]
    assert person_row(new, survivor.id).clever_id == new.person("three_roles").id
    assert {other.merged_into for other in duplicates} == {survivor.id}
    assert {(other.clever_id, other.last_name, other.district_id) for other in duplicates} == {
        (None, "", None)
    }
    assert "nothing changed" in sync_site(new, "--full").stdout


@pytest.mark.parametrize("last", ["teacher", "staff"])
def test_the_account_with_the_latest_login_survives_and_gets_the_others_data(
    version: Versions, last: str
) -> None:
    old = version("v2.1")
    sync_site(old)
    before = rows_of(old, "teacher_admin")
    first = "staff" if last == "teacher" else "teacher"
    visitors = [log_in_as(old, "teacher_admin", role) for role in (first, last)]
    assert [account_id(visitor) for visitor in visitors] == [before[first].id, before[last].id]
    with database_of(old).begin() as session:
        session.get_one(Person, before[first].id).preferred_name = "Tom"
        until = utc_now() + timedelta(days=1)
        session.add(Claim(token_hash="a" * 64, person_id=before[first].id, expires_at=until))
    began = person_row(old, before[first].id).first_login
    new = version("v3.0")
    sync_site(new)
    survivor = person_row(new, before[last].id)
    assert (survivor.clever_id, survivor.preferred_name) == (new.person("teacher_admin").id, "Tom")
    assert (survivor.roles, survivor.first_login) == (["teacher", "staff"], began)
    assert person_row(new, before[first].id).merged_into == survivor.id
    with database_of(new).read_session() as session:
        assert session.scalars(select(Claim.person_id)).all() == [survivor.id]
    assert_equal_everywhere(new)
    assert [visitor.open("/dashboard").path for visitor in visitors] == ["/", "/"]
    assert account_id(by_button(new, "teacher_admin")) == survivor.id


def test_a_login_during_the_move_to_v3_leaves_one_row_in_either_order(version: Versions) -> None:
    sync_site(version("v2.1"))
    new = version("v3.0")
    people = new.clever.people.people_of(new.clever.people.districts[0])
    staff = [person.user_name for person in people if "student" not in person.roles]
    with ThreadPoolExecutor(9) as pool:
        sync = pool.submit(sync_site, new)
        paths = set(pool.map(lambda name: by_button(new, name).path, staff))
        assert sync.result(120).exit_code == 0
    assert paths == {"/dashboard"}
    assert_equal_everywhere(new)
