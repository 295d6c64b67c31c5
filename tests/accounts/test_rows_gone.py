"""Tests every page for users who are logged in but whose rows were deleted meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import delete, select
from werkzeug.routing import Rule

from clever_login.db.database import Database
from clever_login.db.models import Base, Person, School, Section, StoredValue
from tests.conftest import SiteMaker
from tests.support.account_app import database_of, flask_app, run_flask_clever
from tests.support.browser_client import Visitor, send_request
from tests.support.expected_rows import give_first_sync
from tests.support.login_flows import by_button
from tests.support.running_app import Site

USERS = ("student", "teacher", "district_admin")


def delete_people(database: Database, site: Site) -> None:
    """Delete the rows of the users, and leave all others."""
    ids = [site.person(name).id for name in USERS]
    with database.begin() as session:
        session.execute(delete(Person).where(Person.clever_id.in_(ids)))


def delete_everything(database: Database, _site: Site) -> None:
    """Delete all rows of the library, except for the sessions."""
    with database.begin() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != StoredValue.__tablename__:
                session.execute(table.delete())


def ids_in_paths(database: Database) -> dict[str, str]:
    """Return a value for the parameters of paths."""
    with database.read_session() as session:
        columns = {"section_id": Section.id, "school_id": School.id, "person_id": Person.id}
        return {
            name: session.scalars(select(column)).first() or "" for name, column in columns.items()
        }


def token_of_a_claim(site: Site) -> str:
    """Return the token of a link to an account from before Clever."""
    person = run_flask_clever(site, "accounts", "add", "--first-name", "Ada").split()[-1]
    link = run_flask_clever(site, "accounts", "invite", "--person", person)
    return link.partition("token=")[2].split()[0]


def statuses(visitor: Visitor, site: Site, values: dict[str, str]) -> dict[str, int]:
    """Return the status of every page and form, by its method and path.

    The fields of the forms have plausible values.
    """
    cookies, url = dict(visitor.http.cookies), visitor.app_url
    csrf = send_request(f"{url}/session", cookies=cookies).json()["csrf_token"]
    form = {"csrf_token": csrf, "token": values["token"], "name": "Ada", "role": "teacher"}
    parts = {
        "GET": {"headers": {"Accept": "text/html"}},
        "POST": {"headers": {"Accept": "text/html", "Origin": url}, "data": form},
    }
    return {
        f"{method} {path}": send_request(
            f"{url}{path}?token={values['token']}", method, cookies=cookies, **parts[method]
        ).status_code
        for method, path in pages(site, values)
    }


def pages(site: Site, values: dict[str, str]) -> list[tuple[str, str]]:
    """Return the method and path of every page that does not log out.

    The last one starts a new session.
    """

    def path(rule: Rule) -> str:
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda name: values.get(name[1]) or "none", str(rule))

    rules = list(flask_app(site).url_map.iter_rules())
    assert len(rules) > 20
    found = [
        (method, path(rule))
        for rule in rules
        for method in {"GET", "POST"} & (rule.methods or set())
        if rule.endpoint not in ENDPOINTS_THAT_LOG_OUT and "static" not in str(rule)
    ]
    return sorted(found, key=lambda page: page == ("POST", "/claim"))


ENDPOINTS_THAT_LOG_OUT = {"clever_login.logout", "clever_login.end_impersonation"}


@pytest.mark.parametrize("remove", [delete_people, delete_everything])
def test_no_page_fails_for_someone_whose_row_is_gone(
    make_site: SiteMaker, remove: Callable[[Database, Site], None]
) -> None:
    site = make_site(ask_preferred_name=True)
    give_first_sync(site)
    database, values = database_of(site), ids_in_paths(database_of(site))
    values["token"] = token_of_a_claim(site)
    visitors = [by_button(site, name) for name in USERS]
    remove(database, site)
    for visitor in visitors:
        found = statuses(visitor, site, values)
        assert found["GET /dashboard"] == 200
        assert {page: status for page, status in found.items() if status >= 500} == {}
