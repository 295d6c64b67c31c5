"""A district admin acts as somebody of the same district: "Log in as..." in the portal."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_simulator import browser
from clever_simulator.people import Person
from clever_simulator.world import world

bp = Blueprint("impersonation", __name__, url_prefix="/as")


@bp.get("/", strict_slashes=False)
def choose() -> str:
    """Lists the people that are always there, for an admin to choose one."""
    admin = _admin()
    people = [one for one in world().people.named(admin.district) if one.id != admin.id]
    return render_template("as.html", title="Log in as...", people=people, admin=admin)


@bp.post("/", strict_slashes=False)
def begin() -> ResponseReturnValue:
    """From now on this browser is the other person, and the apps may know that it is not."""
    admin = _admin()
    one = world().people.by_id(request.form.get("person"))
    if one is None or one.district != admin.district:
        abort(404)
    browser.act_as(one)
    return _to_portal(admin)


@bp.post("/end")
def end() -> ResponseReturnValue:
    """The browser is the admin's again."""
    browser.act_as_oneself()
    return _to_portal(_admin())


def _admin() -> Person:
    person = browser.admin() or browser.person()
    if person is None or "district_admin" not in person.roles:
        abort(403, "Only a district admin may log in as somebody else.")
    return person


def _to_portal(person: Person) -> ResponseReturnValue:
    return redirect(url_for("web.portal", shortname=person.district.shortname), 303)
