"""Tests the signals about people outside of a sync: at logins, claims, and deletions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from clever_login.db.models import Person, utc_now
from clever_login.signals import PersonChange, PersonMerge, PersonRow
from tests.accounts.test_claims import add_old_account, claim_link, claim_page
from tests.accounts.test_privacy import all_rows, run
from tests.conftest import SiteMaker
from tests.support.account_app import (
    account_id,
    flask_app,
    make_account_app,
    people_rows,
    person_row,
)
from tests.support.expected_rows import sync_site
from tests.support.login_flows import by_button
from tests.support.roster_fixtures import database_session
from tests.support.running_app import Site
from tests.support.signal_recorder import (
    CHILDS_NAME,
    FAILING_RECEIVER,
    ROSTER_SIGNALS,
    Recorder,
    failing_receiver,
    recording,
)

SECRET = "the same before and after the move: 0123456789"  # test value


@pytest.fixture
def site(make_site: SiteMaker, database_url: str | None) -> Site:
    """An app with empty tables."""
    return make_account_app(make_site, database_url)


@pytest.fixture
def recorder(site: Site) -> Iterator[Recorder]:
    with recording(flask_app(site)) as recorder:
        yield recorder


def test_a_first_login_sends_a_created_person_and_further_logins_send_nothing(
    site: Site, recorder: Recorder
) -> None:
    person_id = account_id(by_button(site, "student"))
    (row,) = recorder.rows("people_created", site.person("student").district.id)
    assert (row.person_id, row.clever_id) == (person_id, site.person("student").id)
    by_button(site, "student")
    assert recorder.names() == ["people_created"]
    assert recorder.notes() == 1


def test_a_login_of_an_archived_person_sends_a_restored_person(
    site: Site, recorder: Recorder
) -> None:
    sync_site(site)
    site.clever.change_roster("unshared", "student")
    sync_site(site)
    site.clever.change_roster("back", "student")
    recorder.clear()
    person_id = account_id(by_button(site, "student"))
    assert [row.person_id for row in recorder.rows("people_restored")] == [person_id]
    assert recorder.names() == ["people_restored"]


def test_a_login_that_merges_two_rows_sends_them(
    make_site: SiteMaker, database_url: str | None
) -> None:
    old = make_account_app(make_site, database_url, clever_api_version="v2.1", secret_key=SECRET)
    sync_site(old)
    new = make_account_app(make_site, database_url, secret_key=SECRET)
    with recording(flask_app(new), "people_merged") as recorder:
        survivor = account_id(by_button(new, "teacher_admin"))
        (merge,) = recorder.rows("people_merged", new.person("teacher_admin").district.id)
        assert merge.survivor_id == survivor
        assert person_row(new, merge.duplicate_id).merged_into == survivor


def test_a_receiver_that_raises_undoes_the_merge_and_the_log_names_it(
    make_site: SiteMaker, database_url: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    old = make_account_app(make_site, database_url, clever_api_version="v2.1", secret_key=SECRET)
    sync_site(old)
    new = make_account_app(make_site, database_url, secret_key=SECRET, app_env="production")
    with failing_receiver(flask_app(new), "people_merged"):
        visitor = by_button(new, "teacher_admin")
    assert visitor.response.status_code == 500
    assert all(person.merged_into is None for person in people_rows(new))
    logged = capfd.readouterr().err
    assert FAILING_RECEIVER in logged
    assert CHILDS_NAME not in logged
    assert by_button(new, "teacher_admin").path == "/dashboard"


def test_a_claim_sends_the_merge_of_the_former_account(site: Site) -> None:
    account = account_id(by_button(site, "student"))
    old = add_old_account(site, "Adele")
    with recording(flask_app(site)) as recorder:
        claim_page(site, claim_link(site, old)).press("Yes, both are mine")
        assert recorder.rows("people_merged") == [
            PersonMerge(survivor_id=old, duplicate_id=account)
        ]
        assert recorder.names() == ["people_merged"]


def forgotten(recorder: Recorder, district_id: str | None = None) -> set[str]:
    ids = [row.person_id for row in recorder.rows("people_forgotten", district_id)]
    assert len(set(ids)) == len(ids)
    return set(ids)


def test_a_forgotten_person_is_sent_with_merged_duplicates_before_the_rows_go(
    school: Site,
) -> None:
    with database_session(school) as session:
        session.add(Person(id="ours-earlier", merged_into="ours-student"))
    with recording(flask_app(school), "people_forgotten") as recorder:
        run(school, "forget", "--user", "ours-student")
        district_id = school.person("student").district.id
        assert forgotten(recorder, district_id) == {"ours-student", "ours-earlier"}
        (row,) = [row for row in recorder.rows("people_forgotten") if row.clever_id]
        assert row.first_name == "Given"  # the row was still there


def test_a_forgotten_district_sends_its_people(school: Site) -> None:
    district_id = school.person("student").district.id
    with database_session(school) as session:
        ids = {person.id for person in session.query(Person).filter_by(district_id=district_id)}
    with recording(flask_app(school), "people_forgotten") as recorder:
        run(school, "forget", "--district", district_id, "--yes")
        assert forgotten(recorder) == forgotten(recorder, district_id) == ids


def test_retention_sends_people_by_district_and_a_dry_run_is_rolled_back(school: Site) -> None:
    long_ago = utc_now() - timedelta(days=400)
    with database_session(school) as session:
        session.get_one(Person, "ours-pupilfar").archived_at = long_ago
        session.add(Person(id="ours-library", clever_id="library", last_login=long_ago))
    with recording(flask_app(school), "people_forgotten") as recorder:
        run(school, "retention")
        assert recorder.notes() == 0  # a count is rolled back, with what receivers wrote
        recorder.clear()
        run(school, "retention", "--yes")
        own = school.person("student").district.id
        assert forgotten(recorder, own) == {"ours-pupilgone"}
        assert forgotten(recorder, "districtb") == {"ours-pupilfar"}
        all_ids = {"ours-pupilgone", "ours-pupilfar", "ours-library"}
        assert forgotten(recorder) == all_ids
        assert recorder.notes() == 3


def test_a_receiver_that_raises_undoes_the_deletion_of_personal_data(school: Site) -> None:
    before = all_rows(school)
    with failing_receiver(flask_app(school), "people_forgotten"):
        for words in (
            ("forget", "--user", "ours-student"),
            ("forget", "--district", school.person("student").district.id, "--yes"),
            ("retention", "--yes"),
        ):
            result = run(school, *words)
            assert result.exit_code == 1
            assert f"Nothing was changed: {FAILING_RECEIVER}." in result.output
            assert CHILDS_NAME not in result.output
    assert all_rows(school) == before


def test_each_roster_signal_is_public() -> None:
    from clever_login import signals

    assert {*ROSTER_SIGNALS, "people_forgotten"} <= set(signals.__all__)


def test_the_repr_of_a_row_names_nobody() -> None:
    person = PersonRow(
        person_id="1",
        clever_id="2",
        roles=("student",),
        schools=(),
        first_name="Canary",
        last_name="Canary",
        email="Canary",
        grade="3",
    )
    change = PersonChange(before=person, after=person)
    assert "person_id='1'" in repr(change)
    assert "Canary" not in repr(change)
