"""Tests accounts from before Clever: claimed with a one-time link, never by email or name."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from clever_login.accounts import claims
from clever_login.accounts.account_lookup import add_unlinked_account
from clever_login.db.models import (
    Claim,
    District,
    Enrollment,
    Person,
    RoleAssignment,
    School,
    Section,
    utc_now,
)
from clever_login.errors import ClaimLinkInvalid
from tests.conftest import POSTGRESQL_IS_LONG
from tests.support.account_app import (
    account_id,
    database_of,
    flask_app,
    people_rows,
    person_row,
    run_flask_clever,
    school,
)
from tests.support.browser_client import Visitor
from tests.support.login_flows import by_button, log_in_at_clever
from tests.support.running_app import Site

__all__ = ["school"]


def add_old_account(site: Site, first_name: str = "", **fields: str) -> str:
    with flask_app(site).app_context():
        return add_unlinked_account(first_name=first_name, **fields)


def claim_link(site: Site, person_id: str, *options: str) -> str:
    return run_flask_clever(site, "accounts", "invite", "--person", person_id, *options).strip()


def claim_page(site: Site, link: str, user_name: str = "student") -> Visitor:
    """Open the link and log in with Clever. Returns the browser on the confirmation page."""
    visitor = site.visitor().open(link).click("Log in with Clever")
    visitor.click(site.person(user_name).district.name)
    log_in_at_clever(visitor, user_name)
    assert (visitor.path, visitor.heading) == ("/claim", "Is this your account?")
    return visitor


def assert_link_is_useless(visitor: Visitor) -> None:
    assert (visitor.code, visitor.response.status_code) == ("claim_useless", 410)
    assert "Ask your teacher for a new one." in visitor.text


def test_logging_in_with_a_claim_link_gives_access_to_the_earlier_account(school: Site) -> None:
    old, child = add_old_account(school, "Adele"), school.person("student")
    link = claim_link(school, old)
    assert school.visitor().open(link).heading == "Get your account back"
    visitor = claim_page(school, link)
    assert "This link opens the account of Adele ." in visitor.text
    assert f"logged in with Clever as {child.name.first}" in visitor.text
    assert "You were here with Clever before" not in visitor.text
    assert person_row(school, old).clever_id is None  # nothing is merged before the user confirms
    visitor.press("Yes, both are mine")
    assert visitor.path == "/dashboard"
    assert account_id(visitor) == old
    person = person_row(school, old)
    assert (person.clever_id, person.first_name) == (child.id, child.name.first)
    assert account_id(by_button(school, "student")) == old


def test_the_claim_token_is_not_in_the_database(school: Site) -> None:
    token = claim_link(school, add_old_account(school)).partition("token=")[2]
    with database_of(school).read_session() as session:
        (claim,) = session.scalars(select(Claim))
    assert re.fullmatch(r"[0-9a-f]{64}", claim.token_hash)
    assert len(token) > 40
    assert token not in str(vars(claim))


def test_a_claim_link_works_once(school: Site) -> None:
    link = claim_link(school, add_old_account(school))
    slow = claim_page(school, link, "teacher")  # has the page open, and confirms too late
    claim_page(school, link).press("Yes, both are mine")
    assert_link_is_useless(slow.press("Yes, both are mine"))
    assert_link_is_useless(school.visitor().open(link))
    assert account_id(slow) == account_id(by_button(school, "teacher"))


def test_of_a_hundred_concurrent_uses_of_a_claim_link_one_succeeds(school: Site) -> None:
    old = add_old_account(school)
    token = claim_link(school, old).partition("token=")[2]

    def use(number: int) -> bool:
        with flask_app(school).test_request_context():
            try:
                return claims.redeem(token, f"person{number}").account_id == old
            except ClaimLinkInvalid:
                return False

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(use, range(100))) == 1


@POSTGRESQL_IS_LONG
def test_wrong_expired_and_replaced_claim_links_show_the_same_page(school: Site) -> None:
    old = add_old_account(school)
    first = claim_link(school, old)
    second = claim_link(school, old)
    assert_link_is_useless(school.visitor().open("/claim?token=made-up"))
    assert_link_is_useless(school.visitor().open(first))
    with database_of(school).begin() as session:
        session.execute(update(Claim).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert_link_is_useless(school.visitor().open(second))


@POSTGRESQL_IS_LONG
def test_the_claim_page_without_a_token_says_how_to_get_a_link(school: Site) -> None:
    visitor = school.visitor().open("/claim")
    assert visitor.heading == "Did you have an account here before?"
    assert "never looks for an older account by name or email" in visitor.text


@POSTGRESQL_IS_LONG
def test_declining_a_claim_changes_nothing(school: Site) -> None:
    old = add_old_account(school)
    visitor = claim_page(school, claim_link(school, old)).click("No, do not connect them")
    assert visitor.path == "/dashboard"
    assert account_id(visitor) != old
    assert person_row(school, old).clever_id is None


@POSTGRESQL_IS_LONG
def test_a_claim_requires_a_form_with_a_csrf_token(school: Site) -> None:
    old = add_old_account(school)
    link = claim_link(school, old)
    visitor = claim_page(school, link)
    token = link.partition("token=")[2]
    visitor.http.post(f"{school.url}/claim", data={"token": token}, timeout=30)
    asked_by_nobody = school.visitor().http.post(
        f"{school.url}/claim", data={"token": token}, timeout=30
    )
    assert asked_by_nobody.status_code in {400, 401}
    assert person_row(school, old).clever_id is None


@POSTGRESQL_IS_LONG
def test_a_claim_during_an_impersonation_is_refused_and_the_link_stays_valid(school: Site) -> None:
    old = add_old_account(school)
    link = claim_link(school, old)
    visitor = by_button(school, "student")
    visitor.open("/oauth/callback?code=x&loginas_by_admin=true")  # anyone can write this URL
    assert visitor.open(link).press("Yes, both are mine").code == "read_only"
    assert person_row(school, old).clever_id is None
    claim_page(school, link).press("Yes, both are mine")
    assert person_row(school, old).clever_id == school.person("student").id


@POSTGRESQL_IS_LONG
def test_the_claim_page_explains_the_merge_to_a_user_who_has_an_account(school: Site) -> None:
    child = school.person("student")
    account = account_id(by_button(school, "student"))
    with database_of(school).begin() as session:
        person = session.get_one(Person, account)
        person.first_login = utc_now() - timedelta(days=3)
        session.add(Section(id="reading", name="Reading"))
        session.flush()
        session.add(Enrollment(section_id="reading", person_id=account, role="student"))
    other_browser = by_button(school, "student")
    old = add_old_account(school, "Adele")
    visitor = claim_page(school, claim_link(school, old))
    assert "You also have another account here, from Clever." in visitor.text
    visitor.press("Yes, both are mine")
    assert account_id(visitor) == old
    assert other_browser.open("/dashboard").path == "/"  # its account was merged into another
    merged, person = person_row(school, account), person_row(school, old)
    assert (merged.merged_into, merged.clever_id, merged.first_name, merged.email) == (
        old,
        None,
        "",
        None,
    )
    assert (person.clever_id, person.roles) == (child.id, ["student"])
    with database_of(school).read_session() as session:
        (seat,) = session.scalars(select(Enrollment))
    assert seat.person_id == old


def test_the_claim_page_knows_whether_the_account_is_older_than_the_login(school: Site) -> None:
    """A first login writes the account and the session within a minute."""
    link, before = claim_link(school, add_old_account(school, "Adele")), utc_now()
    visitor = by_button(school, "student")
    after, account = utc_now(), account_id(visitor)
    for first_login, is_older in (
        (after - timedelta(seconds=59), False),
        (before - timedelta(seconds=61), True),
    ):
        with database_of(school).begin() as session:
            session.get_one(Person, account).first_login = first_login
        page = visitor.open(link)
        assert ("You also have another account here, from Clever." in page.text) == is_older


def test_two_people_with_one_email_have_two_accounts(school: Site) -> None:
    teacher = school.person("teacher")
    shared = str(teacher.email)
    old = add_old_account(school, teacher.name.first, last_name=teacher.name.last, email=shared)
    visitor = by_button(school, "teacher")
    assert account_id(visitor) != old
    assert sorted(row.clever_id or "" for row in people_rows(school)) == ["", teacher.id]
    assert {row.email for row in people_rows(school)} == {shared}


def test_a_user_with_a_new_clever_id_after_300_days_can_claim_the_old_account(
    school: Site,
) -> None:
    """Clever gives a new id to a user who returns after so long. The sync archived the old one."""
    with database_of(school).begin() as session:
        long_ago = utc_now() - timedelta(days=301)
        old = Person(clever_id="id-of-long-ago", first_name="Ada", roles=["student"])
        old.archived_at, old.first_login, old.last_login = long_ago, long_ago, long_ago
        session.add(old)
    assert account_id(by_button(school, "student")) != old.id
    visitor = claim_page(school, claim_link(school, "id-of-long-ago")).press("Yes, both are mine")
    assert account_id(visitor) == old.id
    person = person_row(school, old.id)
    assert (person.clever_id, person.archived_at) == (school.person("student").id, None)
    assert person.first_login
    assert person.first_login < utc_now() - timedelta(days=300)


def test_an_account_in_use_moves_to_another_clever_id_only_with_the_operators_option(
    school: Site,
) -> None:
    """Clever merges two ids of one person, and the id that remains may be the newer one."""
    before = by_button(school, "teacher")
    account = account_id(before)
    words = ("accounts", "invite", "--person", account)
    assert "This account already has a Clever id" in run_flask_clever(school, *words, fails=True)
    visitor = claim_page(school, claim_link(school, account, "--new-clever-id"), "teacher_admin")
    visitor.press("Yes, both are mine")
    assert account_id(visitor) == account
    assert person_row(school, account).clever_id == school.person("teacher_admin").id
    assert before.open("/dashboard").path == "/"  # its Clever id no longer leads to this account


def test_a_claim_link_to_an_account_in_use_works_once(school: Site) -> None:
    account = account_id(by_button(school, "student"))
    link = claim_link(school, account, "--new-clever-id")
    slow = claim_page(school, link, "teacher")  # has the page open, and confirms too late
    claim_page(school, link, "teacher_admin").press("Yes, both are mine")
    assert_link_is_useless(slow.press("Yes, both are mine"))
    assert_link_is_useless(school.visitor().open(link))  # it shows no name any more
    assert person_row(school, account).clever_id == school.person("teacher_admin").id


def test_a_merged_account_cannot_be_claimed_again(school: Site) -> None:
    account = account_id(by_button(school, "student"))
    old = add_old_account(school)
    claim_page(school, claim_link(school, old)).press("Yes, both are mine")
    words = ("accounts", "invite", "--person", account)
    assert f"was merged into another account: {old}" in run_flask_clever(school, *words, fails=True)
    words = ("accounts", "invite", "--person", "nobody")
    assert "There is no account with this id." in run_flask_clever(school, *words, fails=True)


def test_a_claim_link_to_a_merged_account_leads_to_the_surviving_account(school: Site) -> None:
    account = account_id(by_button(school, "student"))
    later = claim_link(school, account, "--new-clever-id")
    old = add_old_account(school, "Adele")
    claim_page(school, claim_link(school, old)).press("Yes, both are mine")
    assert person_row(school, account).merged_into == old
    visitor = claim_page(school, later, "teacher").press("Yes, both are mine")
    assert account_id(visitor) == old
    assert (person_row(school, old).merged_into, person_row(school, account).clever_id) == (
        None,
        None,
    )


def test_an_operator_can_add_an_account_from_before_clever(school: Site) -> None:
    printed = run_flask_clever(
        school, "accounts", "add", "--first-name", "Ada", "--last-name", "Park"
    )
    person = person_row(school, printed.strip())
    assert (person.first_name, person.last_name, person.clever_id) == ("Ada", "Park", None)


@pytest.mark.parametrize("path", ["/claim", "/claim?token=" + "x" * 5000])
@POSTGRESQL_IS_LONG
def test_malformed_claim_tokens_cause_no_crash(school: Site, path: str) -> None:
    assert school.visitor().open(path).response.status_code in {200, 410}


def test_a_claimed_archived_account_keeps_only_todays_staff_roles(
    school: Site,
) -> None:
    """No sync updates an archived user's roles at schools. They date from the archiving."""
    admin = school.person("school_admin")
    by_button(school, "school_admin")  # creates the district
    with database_of(school).begin() as session:
        session.add_all(
            School(id=school_id, district_id=admin.district.id) for school_id in ("was", "now")
        )
        old = Person(clever_id="id-of-long-ago", district_id=admin.district.id, roles=["staff"])
        old.archived_at = utc_now() - timedelta(days=301)
        session.add(old)
        session.flush()
        session.add(RoleAssignment(person_id=old.id, school_id="was", role="staff"))
        today = select(Person.id).where(Person.clever_id == admin.id)
        session.add(
            RoleAssignment(person_id=session.scalars(today).one(), school_id="now", role="staff")
        )
    visitor = claim_page(school, claim_link(school, old.id), "school_admin").press(
        "Yes, both are mine"
    )
    assert account_id(visitor) == old.id
    assert visitor.open("/schools/now").response.status_code == 200
    assert visitor.open("/schools/was").response.status_code == 404


def test_a_claim_link_to_an_archived_account_is_void_after_its_owner_returns(school: Site) -> None:
    with database_of(school).begin() as session:
        old = Person(
            clever_id=school.person("teacher").id, roles=["teacher"], archived_at=utc_now()
        )
        session.add(old)
    link = claim_link(school, old.id)
    slow = claim_page(school, link)
    assert account_id(by_button(school, "teacher")) == old.id
    assert_link_is_useless(school.visitor().open(link))
    assert_link_is_useless(slow.press("Yes, both are mine"))
    assert person_row(school, old.id).clever_id == school.person("teacher").id


@pytest.mark.parametrize("is_archived", [True, False])
def test_a_claim_link_is_only_for_users_of_the_accounts_district(
    school: Site, is_archived: bool
) -> None:
    claimant = school.person("student")
    assert school.person("student2").district.id != claimant.district.id
    old = account_id(by_button(school, "teacher"))
    if is_archived:
        with database_of(school).begin() as session:
            session.execute(update(Person).where(Person.id == old).values(archived_at=utc_now()))
    options = [] if is_archived else ["--new-clever-id"]
    link = claim_link(school, old, *options)
    before = person_row(school, old)
    visitor = by_button(school, "student2")
    assert_link_is_useless(visitor.open(link))
    assert before.first_name not in visitor.text
    assert account_id(visitor.open("/dashboard")) != old
    assert (person_row(school, old).clever_id, person_row(school, old).district_id) == (
        before.clever_id,
        before.district_id,
    )
    claim_page(school, link).press("Yes, both are mine")  # the link is not used up
    assert person_row(school, old).clever_id == claimant.id


@POSTGRESQL_IS_LONG
def test_a_form_from_another_district_claims_nothing(school: Site) -> None:
    """The page is refused already, but its form may be sent without it."""
    old = add_old_account(school, "Adele")
    link = claim_link(school, old)
    visitor = by_button(school, "student2").open(link)
    with database_of(school).begin() as session:
        person = session.scalars(select(Person).where(Person.clever_id.is_not(None))).one()
        district = District(id="another-district")
        session.add(district)
        session.flush()
        assert person.district_id != district.id
        session.execute(update(Person).where(Person.id == old).values(district_id=district.id))
    assert_link_is_useless(visitor.press("Yes, both are mine"))
    assert person_row(school, old).clever_id is None
