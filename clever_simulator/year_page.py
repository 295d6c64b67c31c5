"""The control endpoint and the page of the school year: /_simulator/year."""

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_simulator import choices, year
from clever_simulator.api import message
from clever_simulator.changes import ChangeError
from clever_simulator.control import only_from_here
from clever_simulator.world import world

bp = Blueprint("year_page", __name__, url_prefix="/_simulator")
bp.before_request(only_from_here)


@bp.post("/year")
def step() -> ResponseReturnValue:
    """Makes a step: 201 with whom it changed, or 400 naming the field that is wrong."""
    is_form = request.mimetype != "application/json"
    asked = request.form.to_dict() if is_form else request.get_json(silent=True)
    try:
        made = year.make(world(), asked)
    except ChangeError as error:
        return _page(str(error), 400) if is_form else message(400, str(error))
    if is_form:
        return redirect(url_for("year_page.page"), 303)
    answer: Response = jsonify(made.record)
    return answer, 201


@bp.get("/year")
def page() -> ResponseReturnValue:
    """A button for each step, and what the steps so far have done."""
    return _page("", 200)


def _page(problem: str, status: int) -> ResponseReturnValue:
    here = world()
    children = {one.id: choices.child(here.data.first, one) for one in here.people.districts}
    shown = render_template(
        "year.html",
        title="A school year",
        problem=problem,
        steps=year.STEPS,
        districts=here.people.districts,
        children=children,
        standings=here.data.standings,
        passed=here.passed.read()[::-1],
        today=here.clock.text()[:10],
    )
    return shown, status
