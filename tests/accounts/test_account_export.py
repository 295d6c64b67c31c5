"""Tests the export of all accounts, for a product that moves its users elsewhere."""

from __future__ import annotations

import csv

from clever_login.accounts.account_export import export_accounts
from clever_login.accounts.account_lookup import add_unlinked_account
from tests.support.account_app import account_id, flask_app, run_flask_clever, school
from tests.support.login_flows import by_button
from tests.support.running_app import Site

__all__ = ["school"]


def test_the_export_has_each_account_once_with_its_clever_id(school: Site) -> None:
    student, teacher = (by_button(school, name) for name in ("student", "teacher"))
    with flask_app(school).app_context():
        before_clever = add_unlinked_account(first_name='Ada "A", Countess')
    lines = run_flask_clever(school, "accounts", "export").splitlines()
    rows = {row["person_id"]: row for row in csv.DictReader(lines)}
    assert {account: row["clever_id"] for account, row in rows.items()} == {
        account_id(student): school.person("student").id,
        account_id(teacher): school.person("teacher").id,
        before_clever: "",
    }
    assert rows[before_clever]["first_name"] == 'Ada "A", Countess'
    assert rows[account_id(teacher)]["email"] == school.person("teacher").email


def test_an_export_of_several_pages_has_each_account_once(school: Site) -> None:
    with flask_app(school).app_context():
        added = sorted(add_unlinked_account() for _ in range(5))
        assert [row[0] for row in export_accounts(page_size=2)] == added


def test_the_export_omits_accounts_that_were_merged(school: Site) -> None:
    """The data of the product belongs to the account that remains."""
    with flask_app(school).app_context():
        old = add_unlinked_account(first_name="Ada")
    student = by_button(school, "student")
    link = run_flask_clever(school, "accounts", "invite", "--person", old).strip()
    student.open(link).press("Yes, both are mine")
    lines = run_flask_clever(school, "accounts", "export").splitlines()
    assert [row["person_id"] for row in csv.DictReader(lines)] == [old]
