"""The two links that start a login: /oauth/authorize and /oauth/instant-login."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from clever_simulator.config import RegisteredApp
from clever_simulator.credentials.scopes import scopes_of
from clever_simulator.credentials.tokens import Login
from clever_simulator.directory.models import District, Person, RoleAssignment
from clever_simulator.state import simulator_state
from clever_simulator.views import browser_session, sharing

bp = Blueprint("launch", __name__)


class LinkError(Exception):
    """An invalid link: shows Clever's error page and never redirects to the app."""


@dataclass(frozen=True, kw_only=True)
class LoginRequest:
    """One login in progress. `state` is None if the link has none."""

    app: RegisteredApp
    redirect_uri: str
    state: str | None = None
    nonce: str | None = None
    district: District | None = None
    confirm: bool = False
    by_clever: bool = False
    return_unshared: bool = False


@bp.get("/oauth/authorize")
def authorize() -> ResponseReturnValue:
    """Serves Log in with Clever and portal tiles. Redirects to the redirect URI with a code."""
    app = _requested_app()
    if request.args.get("response_type") != "code":
        raise LinkError("The link must contain response_type=code.")
    launch = LoginRequest(
        app=app,
        redirect_uri=_requested_redirect_uri(app),
        state=request.args.get("state"),
        nonce=request.args.get("nonce"),
        district=_requested_district(),
        confirm=request.args.get("confirmed", str(not app.confirms_unasked).lower()) == "false",
        by_clever=request.args.get("channel") == "clever-portal",
        return_unshared=request.args.get("return_unshared") == "true",
    )
    return _continue_login(launch)


@bp.get("/oauth/instant-login")
def instant_login() -> ResponseReturnValue:
    """Serves an Instant Login link, which uses the primary redirect URI and never has a state."""
    app, district = _requested_app(), _requested_district()
    if not app.loose_instant_login:
        _requested_redirect_uri(app)  # optional; must be registered if given, but is not used
        if district is None:
            raise LinkError("An Instant Login link must contain a district_id.")
    if district and app.for_district(district.shortname).tier == "library":
        raise LinkError("Instant Login links do not work for apps of the Clever Library.")
    launch = LoginRequest(app=app, redirect_uri=app.primary_uri, district=district, by_clever=True)
    return _continue_login(launch)


def render_login_page(
    district: District, target: str, *, refused: bool = False
) -> ResponseReturnValue:
    """Renders a district's login form. After login the browser goes to `target`."""
    browser_session.remember_district(district)
    page = render_template(
        "login.html",
        title=f"Log in to {district.name}",
        district=district,
        target=target,
        refused=refused,
        people=simulator_state().people.named(district),
    )
    return page, 403 if refused else 200


def return_refusal(app: RegisteredApp, target: str) -> ResponseReturnValue:
    """Returns to the app without a code, from the login link that a person has refused."""
    query = parse_qs(urlsplit(target).query)
    uri = query.get("redirect_uri", [""])[0]
    launch = LoginRequest(
        app=app,
        redirect_uri=uri if uri in app.redirect_uris else app.primary_uri,
        state=query.get("state", [None])[0],
    )
    return _redirect_to_app(launch, {"error": "access_denied"})


def _continue_login(launch: LoginRequest) -> ResponseReturnValue:
    person = browser_session.logged_in_person(launch.app.login_session)
    ignores_district = launch.app.other_district == "ignored"
    if person is None or (launch.district not in (None, person.district) and not ignores_district):
        return _ask_for_login(launch)
    is_confirmed = _is_confirmed(launch, person)
    # Before v3, a person with two roles has two accounts. A student never has two roles.
    if launch.confirm and "student" in person.roles and not is_confirmed:
        return render_template(
            "confirm.html",
            title=f"Is this you? {person.name.full}",
            person=person,
            target=_current_path(),
        )
    return _log_in_to_app(launch, person)


def _is_confirmed(launch: LoginRequest, person: Person) -> bool:
    """Whether a student has just answered `Is this you?`, or entered a password, for this login."""
    answers = (person.id,) if launch.app.confirms_after_password else (person.id, "password")
    return browser_session.take_choice("confirmed") in answers


def _log_in_to_app(launch: LoginRequest, person: Person) -> ResponseReturnValue:
    launch = replace(launch, app=launch.app.for_district(person.district.shortname))
    assignments = sharing.allowed_roles(launch.app, person)
    if not assignments and launch.return_unshared:
        return _redirect_to_app(launch, {"error": "unauthorized-user"})
    if not assignments:
        raise LinkError(f"{launch.app.name} is not shared with {person.name.full}.")
    template_values: dict[str, Any] = {
        "person": person,
        "app": launch.app,
        "target": _current_path(),
    }
    assignment = _choose_role(launch.app, assignments)
    if assignment is None:
        return render_template(
            "account.html", title="Which account?", assignments=assignments, **template_values
        )
    if sharing.needs_consent(launch.app, person, assignment.role):
        return render_template(
            "consent.html", title=f"Share your data with {launch.app.name}?", **template_values
        )
    login = Login(app=launch.app, person=person, role=assignment.role, nonce=launch.nonce)
    return _deliver_code(launch, login)


def _ask_for_login(launch: LoginRequest) -> ResponseReturnValue:
    district = launch.district or browser_session.last_district()
    if district:
        return render_login_page(district, _current_path())
    links = [
        (option, f"{_current_path()}&district_id={option.id}")
        for option in simulator_state().people.districts
    ]
    return render_template("picker.html", title="Find your school district", links=links)


def _choose_role(
    app: RegisteredApp, assignments: tuple[RoleAssignment, ...]
) -> RoleAssignment | None:
    """Returns the role for this login, or None if the person must choose first."""
    if len(assignments) == 1 or (app.before_v3 and app.two_accounts == "first"):
        return assignments[0]
    if not app.before_v3:
        return assignments[0 if app.two_roles == "first" else -1]
    account = browser_session.take_choice("account")
    return next((assignment for assignment in assignments if assignment.legacy_id == account), None)


def _deliver_code(launch: LoginRequest, login: Login) -> ResponseReturnValue:
    code = simulator_state().tokens.issue_code(login, launch.redirect_uri)
    values = {"code": code, "scope": " ".join(scopes_of(launch.app))}
    if browser_session.impersonating_admin() and (launch.by_clever or launch.app.loginas_repeats):
        values["loginas_by_admin"] = "true"
    return _redirect_to_app(launch, values)


def _redirect_to_app(launch: LoginRequest, values: dict[str, str]) -> ResponseReturnValue:
    state = {} if launch.state is None else {"state": launch.state}
    separator = "&" if "?" in launch.redirect_uri else "?"
    return redirect(launch.redirect_uri + separator + urlencode(values | state, quote_via=quote))


def _requested_app() -> RegisteredApp:
    repeated = [name for name, values in request.args.lists() if len(values) > 1]
    app = simulator_state().config.app(request.args.get("client_id"))
    if repeated and (app is None or app.repeated_parameter == "refused"):
        raise LinkError(f"The link contains {repeated[0]} more than once.")
    if app is None:
        raise LinkError("No app is registered with the client_id of this link.")
    return app


def _requested_redirect_uri(app: RegisteredApp) -> str:
    uri = request.args.get("redirect_uri", app.primary_uri)
    if uri not in app.redirect_uris:
        raise LinkError("The redirect_uri of this link is not one of those registered for the app.")
    return uri


def _requested_district() -> District | None:
    if "district_id" not in request.args:
        return None
    district = simulator_state().people.district(request.args["district_id"])
    if district is None:
        raise LinkError("No district has the district_id of this link.")
    browser_session.remember_district(district)
    return district


def _current_path() -> str:
    return request.full_path
