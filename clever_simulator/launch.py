"""The two links that start a login: /oauth/authorize and /oauth/instant-login."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_simulator import browser
from clever_simulator.config import RegisteredApp
from clever_simulator.people import District, Person, Role
from clever_simulator.tokens import Login, scopes
from clever_simulator.world import world

bp = Blueprint("launch", __name__)


class LinkError(Exception):
    """A link that leads to Clever's own error page, never back to the app; says what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One login on its way to an app; `state` is None when the link has none."""

    app: RegisteredApp
    redirect_uri: str
    state: str | None = None
    nonce: str | None = None
    district: District | None = None
    confirm: bool = False


@bp.get("/oauth/authorize")
def authorize() -> ResponseReturnValue:
    """Log in with Clever, and the tiles of the portal: ends at the redirect URI with a code."""
    app = _app_of_link()
    if request.args.get("response_type") != "code":
        raise LinkError("The link must say response_type=code.")
    launch = Launch(
        app=app,
        redirect_uri=_redirect_uri(app),
        state=request.args.get("state"),
        nonce=request.args.get("nonce"),
        district=_district_of_link(),
        confirm=request.args.get("confirmed") == "false",
    )
    return _proceed(launch)


@bp.get("/oauth/instant-login")
def instant_login() -> ResponseReturnValue:
    """An Instant Login link: always to the primary redirect URI, never with a state."""
    app = _app_of_link()
    _redirect_uri(app)  # may be given, and must then be listed, but is not where the login goes
    district = _district_of_link()
    if district is None:
        raise LinkError("An Instant Login link must name a district in district_id.")
    return _proceed(Launch(app=app, redirect_uri=app.primary_uri, district=district))


def login_page(district: District, target: str, *, refused: bool = False) -> ResponseReturnValue:
    """The log-in form of a district; afterwards the browser goes on to `target`."""
    browser.remember(district)
    page = render_template(
        "login.html",
        title=f"Log in to {district.name}",
        district=district,
        target=target,
        refused=refused,
        people=world().people.named(district),
    )
    return page, 403 if refused else 200


def _proceed(launch: Launch) -> ResponseReturnValue:
    person = browser.person()
    if person is None or launch.district not in (None, person.district):
        return _ask_who(launch)
    # A person with two roles before v3 has two accounts; a student never has.
    if launch.confirm and "student" in person.roles and browser.take("confirmed") != person.id:
        return render_template(
            "confirm.html", title=f"Is this you? {person.name.full}", person=person, target=_here()
        )
    role = _role(launch.app, person)
    if role is None:
        return render_template(
            "account.html", title="Which account?", person=person, app=launch.app, target=_here()
        )
    login = Login(app=launch.app, person=person, role=role, nonce=launch.nonce)
    return _deliver(launch, login)


def _ask_who(launch: Launch) -> ResponseReturnValue:
    district = launch.district or browser.district()
    if district:
        return login_page(district, _here())
    links = [(one, f"{_here()}&district_id={one.id}") for one in world().people.districts]
    return render_template("picker.html", title="Find your school district", links=links)


def _role(app: RegisteredApp, person: Person) -> Role | None:
    """The role of this login; None when the person has to be asked first."""
    if len(person.posts) == 1 or not app.before_v3:
        return person.posts[0].role
    account = browser.take("account")
    return next((post.role for post in person.posts if post.legacy_id == account), None)


def _deliver(launch: Launch, login: Login) -> ResponseReturnValue:
    code = world().vault.issue_code(login, launch.redirect_uri)
    values = {"code": code, "scope": " ".join(scopes(launch.app.tier))}
    if launch.state is not None:
        values["state"] = launch.state
    joint = "&" if "?" in launch.redirect_uri else "?"
    return redirect(launch.redirect_uri + joint + urlencode(values, quote_via=quote))


def _app_of_link() -> RegisteredApp:
    repeated = [name for name, values in request.args.lists() if len(values) > 1]
    if repeated:
        raise LinkError(f"The link gives {repeated[0]} more than once.")
    app = world().config.app(request.args.get("client_id"))
    if app is None:
        raise LinkError("No app is registered with the client_id of this link.")
    return app


def _redirect_uri(app: RegisteredApp) -> str:
    uri = request.args.get("redirect_uri", app.primary_uri)
    if uri not in app.redirect_uris:
        raise LinkError("The redirect_uri of this link is not one of those registered for the app.")
    return uri


def _district_of_link() -> District | None:
    if "district_id" not in request.args:
        return None
    district = world().people.district(request.args["district_id"])
    if district is None:
        raise LinkError("There is no district with the district_id of this link.")
    browser.remember(district)
    return district


def _here() -> str:
    return request.full_path


def portal_links(app: RegisteredApp, district: District) -> tuple[str, str]:
    """The portal's link to an app, and the app's Instant Login link, both without state."""
    tile = url_for(
        "launch.authorize",
        channel="clever-portal",
        client_id=app.client_id,
        confirmed="true",
        district_id=district.id,
        redirect_uri=app.primary_uri,
        response_type="code",
    )
    instant = url_for(
        "launch.instant_login", client_id=app.client_id, district_id=district.id, _external=True
    )
    return tile, instant
