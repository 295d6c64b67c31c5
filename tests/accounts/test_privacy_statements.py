"""Tests what PRIVACY.md says about stored data, sessions, pages, and the connection."""

from __future__ import annotations

from dataclasses import fields

import pytest
from bs4 import Tag
from sqlalchemy import select

from clever_login import CurrentUser
from clever_login.clever.profile import MAX_SCHOOLS
from clever_login.db import connection_limits
from clever_login.db.database import resolve_url
from clever_login.db.engines import make_engine
from clever_login.db.models import Base
from clever_login.testing import sample_settings
from tests.conftest import SiteMaker
from tests.support.account_app import database_of, make_account_app, people_rows, run_flask_clever
from tests.support.expected_rows import give_first_sync, sync_site
from tests.support.login_flows import by_button
from tests.support.running_app import ROOT, Site

TEXT = " ".join((ROOT / "PRIVACY.md").read_text().split())
CANARY = "Canarybird"
# What PRIVACY.md rules out, and the fields of a student in which Clever may send it.
NEVER_STORED = {
    "birth dates": ("dob",),
    "gender": ("gender",),
    "race": ("race", "hispanic_ethnicity"),
    "home language": ("home_language", "home_language_code", "ell_status"),
    "disability": ("iep_status", "section_504_status", "disability_type"),
    "free lunch": ("frl_status",),
    "addresses": ("location.address", "location.city", "location.zip"),
    "phone numbers": ("phone",),
    "contacts and parents": ("contacts", "ext.parent"),
    "school and state ID numbers": ("sis_id", "state_id", "student_number"),
    "district usernames": ("credentials.district_username",),
    "passwords": ("credentials.district_password",),
}


def test_what_privacy_md_rules_out_is_never_stored(make_site: SiteMaker) -> None:
    assert all(name in TEXT for name in NEVER_STORED)
    site = make_account_app(make_site, None)
    person = site.person("student")
    names = [name for group in NEVER_STORED.values() for name in group]
    sent = {f"roles.student.{name}": CANARY for name in names} | {"name.middle": CANARY}
    sent["email"] = "sent@school.example"
    site.clever.override_many([{"id": person.id, "fields": sent}])
    sync_site(site, "--district", person.district.id)
    assert "Canarybird" not in by_button(site, "student").text
    (row,) = [row for row in people_rows(site) if row.clever_id == person.id]
    assert CANARY not in all_values(site) + run_flask_clever(site, "export", "--user", row.id)
    assert "sent@school.example" in all_values(site)  # the record was read


def all_values(site: Site) -> str:
    with database_of(site).read_session() as session:
        tables = Base.metadata.sorted_tables
        return "\n".join(str(row) for table in tables for row in session.execute(select(table)))


# The words with which PRIVACY.md names what a session contains.
IN_A_SESSION = {
    "name": "first_name last_name",
    "email address": "email",
    "preferred name": "preferred_name",
    "roles of the user": "roles",
    "which role they use now": "role",
    "how old these values are": "as_of",
    "the login method, and the ID of the user there": "provider subject",
    "the app's account ID": "account_id",
    "the ID of the user's row": "person_id",
    "names and Clever IDs of the district and of at most eight schools": (
        "district_id district schools"
    ),
    "the number of further schools": "more_schools",
    "which of these values Clever did not share": "outcome",
    "the names of the sections and their numbers of students": "classes",
    "the times of the login and of the last request": "logged_in_at seen_at",
    "the idle limit of the open page": "idle_minutes",
    "whether the link of the login claimed an impersonation": "impersonation_claimed",
}


def test_privacy_md_names_everything_that_a_session_contains() -> None:
    section = TEXT.partition("## Sessions")[2].partition("The browser has")[0]
    assert [words for words in IN_A_SESSION if words not in section] == []
    named = {name for names in IN_A_SESSION.values() for name in names.split()}
    assert named == {field.name for field in fields(CurrentUser)}
    assert MAX_SCHOOLS == 8


@pytest.mark.parametrize("user_name", ["student", "teacher", "district_admin"])
def test_no_roster_page_shows_an_email_address(make_site: SiteMaker, user_name: str) -> None:
    site = make_site()
    give_first_sync(site)
    visitor, seen, unvisited = by_button(site, user_name), set[str](), ["/dashboard"]
    while unvisited and len(seen) < 12:
        path = unvisited.pop()
        seen.add(path)
        main = visitor.open(path).page.main
        assert isinstance(main, Tag)
        own = site.person(user_name).email or ""
        assert "@" not in main.get_text().replace(own, ""), path
        links = [str(link["href"]) for link in main.select("a[href^='/']")]
        lists = [link for link in links if link.startswith(("/classes/", "/schools/", "/district"))]
        unvisited += sorted({*lists} - {*seen, *unvisited})
    assert len(seen) > 1


def test_the_connection_to_postgresql_is_encrypted_as_database_url_says() -> None:
    for given in ("postgres://u:p@db.example/school", "postgresql://u:p@db.example/school"):
        settings = sample_settings(ROOT, database_url=f"{given}?sslmode=verify-full")
        engine = make_engine(resolve_url(settings, ROOT), connection_limits.page_limits(1))
        _, arguments = engine.dialect.create_connect_args(engine.url)
        assert arguments["sslmode"] == "verify-full"
