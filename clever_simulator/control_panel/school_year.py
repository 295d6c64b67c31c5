"""The control endpoint and the page of the school year: /_simulator/year."""

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_simulator.control_panel.faults import refuse_cross_site_changes
from clever_simulator.history.changes import ChangeError
from clever_simulator.school_year import step_context, steps
from clever_simulator.state import simulator_state
from clever_simulator.views.data_api import error_response

bp = Blueprint("year_page", __name__, url_prefix="/_simulator")
bp.before_request(refuse_cross_site_changes)


@bp.post("/year")
def step() -> ResponseReturnValue:
    """Makes a step. Returns 201 with the people it changed, or 400 naming the invalid field."""
    is_form = request.mimetype != "application/json"
    asked = request.form.to_dict() if is_form else request.get_json(silent=True)
    try:
        made = steps.make_step(simulator_state(), asked)
    except ChangeError as error:
        return _render_page(str(error), 400) if is_form else error_response(400, str(error))
    if is_form:
        return redirect(url_for("year_page.page"), 303)
    answer: Response = jsonify(made.record)
    return answer, 201


@bp.get("/year")
def page() -> ResponseReturnValue:
    """Shows a button for each step, and the results of the steps so far."""
    return _render_page("", 200)


def _render_page(problem: str, status: int) -> ResponseReturnValue:
    here = simulator_state()
    children = {
        one.id: step_context.default_student(here.data.first, one) for one in here.people.districts
    }
    shown = render_template(
        "year.html",
        title="A school year",
        problem=problem,
        steps=steps.STEPS,
        districts=here.people.districts,
        children=children,
        standings=here.data.standings,
        passed=here.passed.read()[::-1],
        today=here.clock.text()[:10],
    )
    return shown, status
