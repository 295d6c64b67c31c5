"""login_as: a complete login of a test client, as any user."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TypedDict, Unpack, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from clever_login.clever.models import Role
from clever_login.config import PRODUCTION, Settings
from clever_login.sessions.login_session import login_session
from clever_login.sessions.user_session import CurrentUser
from clever_login.testing.browser import NAVIGATION, settings_of, url_in
from clever_login.testing.stand_in import CleverUser, clever_with

DISTRICT_ID = "test-district"
SCHOOLS = {"test-school": "Test School"}


class NotLoggedIn(AssertionError):
    """The app did not log the user in. `response` is its answer, such as an error page."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__(f"the app answered the login with {response.status}: {response.text}")
        self.response = response


class UserDetails(TypedDict, total=False):
    """What Clever says about a user. Everything has a default."""

    subject: str  # Clever's id of the user; by default it depends on the role and the names
    roles: Sequence[Role | str]  # all roles of a user with several roles
    first_name: str
    last_name: str
    email: str | None
    district_id: str
    schools: Mapping[str, str]  # the names of the user's schools, by Clever's ids


def login_as(
    client: FlaskClient,
    role: Role | str | None = None,
    *,
    person_id: str | None = None,
    **details: Unpack[UserDetails],
) -> CurrentUser:
    """Log a test client in, and return the user with `account_id` and `person_id`.

    The app handles a complete login: it calls your `find_or_create` and `on_login`, and with
    `parts.Accounts` or `parts.Rosters` it writes the user's row. A user who was logged in before
    is logged out. `role` is the role of this login; None is a user whose role Clever does not
    share. The same `subject` is the same account. With `person_id`, the user is the person with
    this id in the library's tables, and `details` are ignored. Without `parts.Sessions`, your own
    functions know the account; the result has the roles, `subject`, `district_id`, `person_id`.

    Works only in the process of the app, and never with APP_ENV=production.

    Raises NotLoggedIn if the app refuses the user, LookupError if no person has this id, and
    RuntimeError in production.
    """
    settings = settings_of(client.application)
    if settings.app_env == PRODUCTION:
        raise RuntimeError("login_as needs settings with app_env='development', as in bin/dev")
    if person_id is not None:
        return _log_in(client, _person(client.application, person_id, role))
    return _log_in(client, _new_user(settings, role, details))


def _new_user(settings: Settings, role: Role | str | None, details: UserDetails) -> CleverUser:
    first_name = details.get("first_name", "Test")
    last_name = details.get("last_name", "User")
    allowed = settings.clever_district_ids or (DISTRICT_ID,)
    schools = details.get("schools", SCHOOLS)
    roles = _all_roles(role, details.get("roles", ()))
    return CleverUser(
        subject=details.get("subject") or _subject(role or "", first_name, last_name),
        district_id=details.get("district_id", allowed[0]),
        district_name="Test District",
        roles={
            held_role: () if held_role is Role.DISTRICT_ADMIN else tuple(schools)
            for held_role in roles
        },
        role=Role(role) if role else None,
        first_name=first_name,
        last_name=last_name,
        email=details.get("email"),
        schools=dict(schools),
    )


def _subject(*parts: str) -> str:
    """Return an id that looks like one of Clever's: 24 hexadecimal digits."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:24]


def _all_roles(role: Role | str | None, roles: Sequence[Role | str]) -> tuple[Role, ...]:
    """Return all roles, in the order of Role. `role` is one of them."""
    role_set = {Role(name) for name in (*roles, role) if name}
    return tuple(candidate for candidate in Role if candidate in role_set)


def _log_in(client: FlaskClient, user: CleverUser) -> CurrentUser:
    app = client.application
    with clever_with(app, user), nullcontext() if client.preserve_context else client:
        state = _state(client.get(url_in(app, "/login"), headers=NAVIGATION))
        query = urlencode({"code": f"code-{state[:20]}", "state": state})
        from_clever = NAVIGATION | {"Sec-Fetch-Site": "cross-site"}
        response = client.get(f"{url_in(app, '/oauth/callback')}?{query}", headers=from_clever)
        logged_in = login_session().current_user() if response.status_code < 400 else None
    if logged_in is None:
        raise NotLoggedIn(response)
    return cast(CurrentUser, logged_in)


def _state(response: TestResponse) -> str:
    """Return the state in the redirect to Clever."""
    states = parse_qs(urlsplit(response.location or "").query).get("state")
    if not states:
        raise NotLoggedIn(response)
    return states[0]


def _person(app: Flask, person_id: str, role: Role | str | None) -> CleverUser:
    """Return the person with this id as Clever describes them.

    Raises LookupError if there is none, or one who cannot log in with Clever.
    """
    from sqlalchemy import select

    from clever_login.db.database import database
    from clever_login.db.models import District, Person, RoleAssignment, School

    in_schools = select(RoleAssignment.role, School).join(
        School, RoleAssignment.school_id == School.id
    )
    with app.app_context(), database(app).read_session() as session:
        person = session.get(Person, person_id)
        if person is None or person.clever_id is None or person.district_id is None:
            raise LookupError(f"no person with the id {person_id} can log in with Clever")
        rows = session.execute(in_schools.where(RoleAssignment.person_id == person_id)).all()
        district = session.get(District, person.district_id)
        roles = {
            held_role: tuple(school.id for name, school in rows if name == held_role)
            for held_role in Role
            if held_role in person.roles
        }
        return CleverUser(
            subject=person.clever_id,
            district_id=person.district_id,
            district_name=district.name if district else "",
            roles=roles,
            role=Role(role) if role else max(roles, key=list(Role).index, default=None),
            first_name=person.first_name,
            last_name=person.last_name,
            email=person.email,
            schools={school.id: school.name for _, school in rows},
        )
