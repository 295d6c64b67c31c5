"""Pages other than the login links: index, portal, login, logout.

`list_tiles` builds the tiles of a district's portal: the apps that a person can open from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_simulator.config import RegisteredApp
from clever_simulator.directory.models import DEFAULT_PASSWORD, District, Person
from clever_simulator.state import simulator_state
from clever_simulator.views import authorize, browser_session, sharing
from clever_simulator.views.authorize import LinkError, render_login_page

bp = Blueprint("portal", __name__)


@bp.get("/")
def index() -> str:
    """Shows what the simulator is, and which people can log in to which apps."""
    return render_template(
        "index.html",
        title="Clever simulator",
        people=simulator_state().people,
        apps=simulator_state().config.apps,
        password=DEFAULT_PASSWORD,
    )


@bp.get("/in/<shortname>")
def portal(shortname: str) -> ResponseReturnValue:
    """Shows a district's portal: the login page, or a tile for every app."""
    district = simulator_state().people.portal(shortname)
    if district is None:
        abort(404)
    person = browser_session.logged_in_person()
    if person is None or person.district != district:
        return render_login_page(district, request.path)
    browser_session.remember_district(district)
    return render_template(
        "portal.html",
        title=f"Hello, {person.name.first}",
        person=person,
        admin=browser_session.impersonating_admin(),
        tiles=list_tiles(person),
    )


@bp.post("/login")
def log_in() -> ResponseReturnValue:
    """Checks the user name and password, or logs in the person of a one-click button."""
    target = _requested_target()
    district = simulator_state().people.district(request.form.get("district_id"))
    if district is None:
        raise LinkError("The form contains no district.")
    person = (
        _one_click_person(district) if "person" in request.form else _person_with_password(district)
    )
    if person is None:
        return render_login_page(district, target, refused=True)
    browser_session.log_in(person)
    # A user who has just entered a password is not asked `Is this you?`.
    browser_session.store_choice("confirmed", "password")
    return redirect(target, 303)


@bp.post("/confirm")
def confirm() -> ResponseReturnValue:
    """Takes the answer to `Is this you?`. No logs out, so the login page comes next."""
    target, person = _requested_target(), browser_session.logged_in_person()
    if person and request.form.get("answer") == "yes":
        browser_session.store_choice("confirmed", person.id)
    else:
        browser_session.log_out()
    return redirect(target, 303)


@bp.post("/account")
def account() -> ResponseReturnValue:
    """Takes the account that a person with two accounts chose for this login."""
    browser_session.store_choice("account", request.form.get("account", ""))
    return redirect(_requested_target(), 303)


@bp.post("/consent")
def consent() -> ResponseReturnValue:
    """Takes a teacher's consent to a Library app. After a No, the app gets no request."""
    target, person = _requested_target(), browser_session.logged_in_person()
    app = simulator_state().config.app(request.form.get("client_id"))
    if person and app and request.form.get("answer") == "yes":
        simulator_state().consents.add(app, person)
        return redirect(target, 303)
    if person and app and app.refused_consent == "access_denied":
        return authorize.return_refusal(app, target)
    text = "You did not agree, so the app received no data and did not log you in."
    return render_template("error.html", title="Nothing was shared", text=text)


@bp.post("/logout")
def log_out() -> ResponseReturnValue:
    """Logs out of the simulator. Apps cannot do this."""
    browser_session.log_out()
    district = browser_session.last_district()
    return redirect(
        url_for("portal.portal", shortname=district.shortname)
        if district
        else url_for("portal.index"),
        303,
    )


def is_safe_target(target: str) -> bool:
    """Whether a `next` URL is one of our login links or portals."""
    parts = urlsplit(target)
    return (
        target.isprintable()
        and not any(sign in parts.path for sign in ("\\", "/.", "//"))
        and not (parts.scheme or parts.netloc)
        and parts.path.startswith(("/oauth/", "/in/"))
    )


def _requested_target() -> str:
    target = request.form.get("next", "")
    if not is_safe_target(target):
        raise LinkError("The form leads to an address outside the simulator.")
    return target


def _one_click_person(district: District) -> Person | None:
    return _find_by_user_name(district, request.form["person"])


def _person_with_password(district: District) -> Person | None:
    person = _find_by_user_name(district, request.form.get("username", "").strip().lower())
    return person if person and person.accepts(request.form.get("password", "")) else None


def _find_by_user_name(district: District, user_name: str) -> Person | None:
    people = simulator_state().people.people
    return next(
        (
            person
            for person in people
            if (person.district, person.user_name) == (district, user_name)
        ),
        None,
    )


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One app in the portal. `instant_login` is empty for a Library app, which has no such link."""

    app: RegisteredApp
    link: str
    instant_login: str
    install: bool


def list_tiles(person: Person) -> list[Tile]:
    """Returns a tile for every app that the person can open. Neither link has a state."""
    apps = [app.for_district(person.district.shortname) for app in simulator_state().config.apps]
    return [_build_tile(app, person) for app in apps if sharing.allowed_roles(app, person)]


def _build_tile(app: RegisteredApp, person: Person) -> Tile:
    is_library_app = app.tier == "library"
    return Tile(
        app=app,
        link=_authorize_link(app, person.district),
        instant_login="" if is_library_app else _instant_login_link(app, person.district),
        install=sharing.needs_consent(app, person, sharing.allowed_roles(app, person)[0].role),
    )


def _authorize_link(app: RegisteredApp, district: District) -> str:
    return url_for(
        "launch.authorize",
        channel="clever-portal",
        client_id=app.client_id,
        confirmed="true",
        district_id=district.id,
        redirect_uri=app.primary_uri,
        response_type="code",
    )


def _instant_login_link(app: RegisteredApp, district: District) -> str:
    return url_for(
        "launch.instant_login", client_id=app.client_id, district_id=district.id, _external=True
    )
