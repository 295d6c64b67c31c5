"""Tests users who log in by another method of the app, next to users of Clever."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf

import clever_login
from clever_login import Identity, Role, current_user, end_sessions, log_in, login_url, public
from tests.conftest import SiteMaker
from tests.support.account_app import flask_app, people_rows, run_flask_clever
from tests.support.browser_client import Visitor
from tests.support.existing_app import ExistingApp
from tests.support.login_flows import by_button
from tests.support.running_app import Site
from tests.support.starter import make_starter

PARENT = Identity(provider="magic-link", subject="parent-7", first_name="Pat", roles=(Role.STAFF,))


def start(make_site: SiteMaker, identity: Identity = PARENT, **arguments: Any) -> Site:
    """Run the starter with its own accounts and a view that logs this identity in."""

    def make_app(settings: clever_login.Settings) -> Flask:
        app = make_starter(settings, without=("Accounts",), find_or_create=_own_id)

        @public
        def magic() -> ResponseReturnValue:
            log_in(identity)
            return redirect("/who")

        def show_user() -> ResponseReturnValue:
            user = current_user()
            text = f"{user.provider} {user.account_id} {user.clever_id}" if user else ""
            return text, {"Content-Type": "text/plain"}

        app.add_url_rule("/magic", view_func=magic)
        app.add_url_rule("/who", view_func=show_user)
        return app

    site = make_site(make_app=make_app, **arguments)
    run_flask_clever(site, "db", "upgrade")
    return site


def _own_id(identity: Identity) -> str:
    return f"own-{identity.provider}-{identity.subject}"


def by_magic_link(site: Site, visitor: Visitor | None = None) -> Visitor:
    return (visitor or site.visitor()).open("/magic")


def test_a_user_of_another_login_method_has_an_account_of_the_app(
    make_site: SiteMaker,
) -> None:
    visitor = by_magic_link(start(make_site))
    assert visitor.response.text == "magic-link own-magic-link-parent-7 None"


def test_the_form_of_a_page_works_that_also_logs_the_user_in(make_site: SiteMaker) -> None:
    site = start(make_site)

    @public
    def log_in_and_show_page() -> str:
        generate_csrf()  # as a template does that was rendered before the login
        log_in(PARENT)
        return render_template("dashboard/student.html")

    flask_app(site).view_functions["magic"] = log_in_and_show_page
    assert by_magic_link(site).press("Log out").path == "/"


def test_the_district_allow_list_applies_only_to_users_of_clever(make_site: SiteMaker) -> None:
    visitor = by_magic_link(start(make_site, clever_district_ids=("5f1",)))
    assert visitor.open("/who").response.text.startswith("magic-link")


def test_the_logged_out_page_mentions_clever_only_to_users_of_clever(
    make_site: SiteMaker,
) -> None:
    site = start(make_site)
    visitor = by_magic_link(site).open("/dashboard").press("Log out")
    assert visitor.path == "/"
    assert "confirm" not in visitor.http.cookies


def test_a_login_with_clever_replaces_a_login_by_another_method(make_site: SiteMaker) -> None:
    site = start(make_site)
    student = by_button(site, "student")
    by_magic_link(site, student)
    assert student.open("/who").response.text.startswith("magic-link")
    student.open(f"/login?district_id={site.person('student').district.id}")
    assert student.open("/who").response.text.startswith("clever own-clever-")


def test_a_user_linked_to_a_person_row_sees_the_classes_of_that_person(
    make_site: SiteMaker,
) -> None:
    site = start(make_site)
    run_flask_clever(site, "sync")
    teacher = site.person("teacher")
    row = next(row for row in people_rows(site) if row.clever_id == teacher.id)
    identity = Identity(
        provider="password",
        subject="7",
        person_id=row.id,
        district_id=row.district_id,
        roles=(Role.TEACHER,),
    )
    flask_app(site).view_functions["magic"] = public(lambda: log_in_and_redirect(identity))
    by_method = [
        class_links(visitor.open("/dashboard"))
        for visitor in (by_button(site, "teacher"), by_magic_link(site))
    ]
    assert by_method[0]
    assert by_method[0] == by_method[1]


def log_in_and_redirect(identity: Identity) -> ResponseReturnValue:
    log_in(identity)
    return redirect("/dashboard")


def class_links(visitor: Visitor) -> list[str]:
    """Return where the links to classes on this page lead."""
    links = [str(link["href"]) for link in visitor.page.find_all("a")]
    return [link for link in links if link.startswith("/classes/")]


@pytest.mark.parametrize("argument", ["account_id", "person_id", "district_id"])
def test_the_sessions_of_an_account_a_person_or_a_district_can_be_ended(
    make_site: SiteMaker, argument: str
) -> None:
    site = start(make_site)
    student, teacher = by_button(site, "student"), by_magic_link(site)
    (row,) = people_rows(site)
    values = {
        "account_id": f"own-clever-{row.clever_id}",
        "person_id": row.id,
        "district_id": row.district_id,
    }
    with flask_app(site).app_context():
        assert end_sessions(**{argument: values[argument]}) == 1
    assert student.open("/who").path == "/"
    assert teacher.open("/who").response.text.startswith("magic-link")


def test_ending_sessions_requires_an_account_a_person_or_a_district(make_site: SiteMaker) -> None:
    site = start(make_site)
    with (
        flask_app(site).app_context(),
        pytest.raises(TypeError, match="needs district_id, account_id, or person_id"),
    ):
        end_sessions()


def test_the_login_url_contains_the_page_and_the_district(make_site: SiteMaker) -> None:
    with flask_app(start(make_site)).test_request_context():
        assert login_url(next="/books", district_id="5f1") == "/login?next=/books&district_id=5f1"
        with pytest.raises(ValueError, match="district_id must be"):
            login_url(district_id="a/b")


def test_functions_that_need_the_sessions_part_name_it_in_their_error(make_site: SiteMaker) -> None:
    site = make_site(make_app=ExistingApp().create)
    with flask_app(site).test_request_context():
        with pytest.raises(RuntimeError, match=r"current_user\(\) needs parts.Sessions"):
            current_user()
        with pytest.raises(RuntimeError, match=r"log_in\(\) needs parts.Sessions"):
            log_in(PARENT)


def test_log_in_with_the_librarys_accounts_requires_an_account_id(make_site: SiteMaker) -> None:
    site = make_site()
    with (
        flask_app(site).test_request_context(),
        pytest.raises(ValueError, match="needs the id of the account"),
    ):
        log_in(PARENT)
