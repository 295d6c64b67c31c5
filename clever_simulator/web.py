"""The pages that a person sees besides the login links: index, portal, logging in and out."""

from urllib.parse import urlsplit

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_simulator import browser
from clever_simulator.launch import LinkError, login_page
from clever_simulator.people import PASSWORD, District, Person
from clever_simulator.tiles import tiles
from clever_simulator.world import world

bp = Blueprint("web", __name__)


@bp.get("/")
def index() -> str:
    """What this is, whom to log in as, and where."""
    return render_template(
        "index.html",
        title="Clever simulator",
        people=world().people,
        apps=world().config.apps,
        password=PASSWORD,
    )


@bp.get("/in/<shortname>")
def portal(shortname: str) -> ResponseReturnValue:
    """The portal of a district: its log-in page, or a tile for every app."""
    district = world().people.portal(shortname)
    if district is None:
        abort(404)
    person = browser.person()
    if person is None or person.district != district:
        return login_page(district, request.path)
    browser.remember(district)
    return render_template(
        "portal.html",
        title=f"Hello, {person.name.first}",
        person=person,
        admin=browser.admin(),
        tiles=tiles(person),
    )


@bp.post("/login")
def log_in() -> ResponseReturnValue:
    """Checks user name and password, or takes the person of a one-click button."""
    target = _target()
    district = world().people.district(request.form.get("district_id"))
    if district is None:
        raise LinkError("The form names no district.")
    person = _one_click(district) if "person" in request.form else _with_password(district)
    if person is None:
        return login_page(district, target, refused=True)
    browser.log_in(person)
    return redirect(target, 303)


@bp.post("/confirm")
def confirm() -> ResponseReturnValue:
    """Takes the answer to `Is this you?`; No logs out, so that the log-in page comes next."""
    target, person = _target(), browser.person()
    if person and request.form.get("answer") == "yes":
        browser.note("confirmed", person.id)
    else:
        browser.log_out()
    return redirect(target, 303)


@bp.post("/account")
def account() -> ResponseReturnValue:
    """Takes the account that someone with two of them chose for this login."""
    browser.note("account", request.form.get("account", ""))
    return redirect(_target(), 303)


@bp.post("/consent")
def consent() -> ResponseReturnValue:
    """Takes a teacher's answer to a Library app; after a No the app hears nothing."""
    target, person = _target(), browser.person()
    app = world().config.app(request.form.get("client_id"))
    if person and app and request.form.get("answer") == "yes":
        world().consents.give(app, person)
        return redirect(target, 303)
    words = "You did not agree, so the app was told nothing and you are not logged in there."
    return render_template("error.html", title="Nothing was shared", text=words)


@bp.post("/logout")
def log_out() -> ResponseReturnValue:
    """Logs out of the simulator, which no app can do."""
    browser.log_out()
    district = browser.district()
    return redirect(
        url_for("web.portal", shortname=district.shortname) if district else url_for("web.index"),
        303,
    )


def is_own_path(target: str) -> bool:
    """Whether a `next` leads to one of our login links or portals and to nothing else."""
    parts = urlsplit(target)
    return (
        target.isprintable()
        and not any(sign in parts.path for sign in ("\\", "/.", "//"))
        and not (parts.scheme or parts.netloc)
        and parts.path.startswith(("/oauth/", "/in/"))
    )


def _target() -> str:
    target = request.form.get("next", "")
    if not is_own_path(target):
        raise LinkError("The form would lead to an address that is not one of the simulator's.")
    return target


def _one_click(district: District) -> Person | None:
    return _by_user_name(district, request.form["person"])


def _with_password(district: District) -> Person | None:
    person = _by_user_name(district, request.form.get("username", "").strip().lower())
    return person if person and person.accepts(request.form.get("password", "")) else None


def _by_user_name(district: District, user_name: str) -> Person | None:
    people = world().people.people
    return next((p for p in people if (p.district, p.user_name) == (district, user_name)), None)
