"""The control endpoint and the page of the school year: /_simulator/year."""

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_simulator.control_panel.faults import refuse_cross_site_changes
from clever_simulator.history.changes import ChangeError
from clever_simulator.school_year import step_context, steps
from clever_simulator.state import simulator_state
from clever_simulator.views.data_api import error_response

bp = Blueprint("school_year", __name__, url_prefix="/_simulator")
bp.before_request(refuse_cross_site_changes)


@bp.post("/year")
def step() -> ResponseReturnValue:
    """Makes a step. Returns 201 with the people it changed, or 400 naming the invalid field."""
    is_form = request.mimetype != "application/json"
    description = request.form.to_dict() if is_form else request.get_json(silent=True)
    try:
        logged_step = steps.make_step(simulator_state(), description)
    except ChangeError as error:
        return _render_page(str(error), 400) if is_form else error_response(400, str(error))
    if is_form:
        return redirect(url_for("school_year.page"), 303)
    response: Response = jsonify(logged_step.record)
    return response, 201


@bp.get("/year")
def page() -> ResponseReturnValue:
    """Shows a button for each step, and the results of the steps so far."""
    return _render_page("", 200)


def _render_page(problem: str, status: int) -> ResponseReturnValue:
    state = simulator_state()
    default_students = {
        district.id: step_context.default_student(state.data.initial, district)
        for district in state.people.districts
    }
    page_html = render_template(
        "year.html",
        title="A school year",
        problem=problem,
        steps=steps.STEPS,
        districts=state.people.districts,
        default_students=default_students,
        statuses=state.data.statuses,
        logged_steps=state.step_log.read()[::-1],
        today=state.clock.timestamp()[:10],
    )
    return page_html, status
