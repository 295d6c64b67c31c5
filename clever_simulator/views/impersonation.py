"""Impersonation: "Log in as..." in the portal, for a district admin within the same district."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_simulator.directory.models import Person
from clever_simulator.state import simulator_state
from clever_simulator.views import browser_session

bp = Blueprint("impersonation", __name__, url_prefix="/as")


@bp.get("/", strict_slashes=False)
def choose() -> str:
    """Lists the named people for an admin to choose from."""
    admin = _require_admin()
    people = [
        person for person in simulator_state().people.named(admin.district) if person.id != admin.id
    ]
    return render_template("as.html", title="Log in as...", people=people, admin=admin)


@bp.post("/", strict_slashes=False)
def begin() -> ResponseReturnValue:
    """Starts impersonating a person. Apps can be told about the impersonation."""
    admin = _require_admin()
    person = simulator_state().people.by_id(request.form.get("person"))
    if person is None or person.district != admin.district:
        abort(404)
    browser_session.start_impersonation(person)
    return _redirect_to_portal(admin)


@bp.post("/end")
def end() -> ResponseReturnValue:
    """Ends the impersonation."""
    browser_session.stop_impersonation()
    return _redirect_to_portal(_require_admin())


def _require_admin() -> Person:
    person = browser_session.impersonating_admin() or browser_session.logged_in_person()
    if person is None or "district_admin" not in person.roles:
        abort(403, "Only a district admin can log in as another person.")
    return person


def _redirect_to_portal(person: Person) -> ResponseReturnValue:
    return redirect(url_for("portal.portal", shortname=person.district.shortname), 303)
