"""Pages on which district administrators start a sync and read the history of syncs.

The sync runs in a process of its own: these views only write and read rows.
"""

from __future__ import annotations

import logging
import math
from typing import cast

from flask import Flask, abort, current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from werkzeug.local import LocalProxy

from clever_login.clever.parsing import is_valid_id
from clever_login.errors import DatabaseUnavailable
from clever_login.logs.events import log_event
from clever_login.rosters.updates import process
from clever_login.rosters.viewers import current_viewer
from clever_login.services import services
from clever_login.web.routing import Routes

routes = Routes()


@routes.get("/district/updates", "updates")
def history() -> ResponseReturnValue:
    """List the syncs of the district."""
    from clever_login.rosters import page_data

    history_page = page_data.load_history_page(current_viewer())
    return render_template("clever_login/updates.html", page_data=history_page)


@routes.get("/district/updates/<run_id>", "update")
def show_run(run_id: str) -> ResponseReturnValue:
    """Show the progress of a sync, and then what it has changed."""
    from clever_login.rosters import page_data

    if not is_valid_id(run_id):
        abort(404)
    run_page = page_data.load_run_page(current_viewer(), run_id)
    return render_template("clever_login/update.html", page_data=run_page)


@routes.post("/district/updates", "start_update")
def start() -> ResponseReturnValue:
    """Start a sync of the district, or show the one that is running or has just run."""
    from clever_login.rosters.updates import requests

    name = button_app()
    if name is None:
        abort(404)
    request = requests.request_sync(current_viewer())
    if request.run_id is None:
        minutes = math.ceil(request.wait.total_seconds() / 60)
        page = render_template(
            "clever_login/update_later.html", minutes=minutes, is_own_limit=request.is_own_limit
        )
        return page, 429, {"Retry-After": str(60 * minutes)}
    if request.is_new:
        _start_process(name, request.run_id)
    return redirect(url_for("clever_login.update", run_id=request.run_id), 303)


def button_app() -> str | None:
    """Return how `flask --app` finds the app, or None if there is no button."""
    has_button = services().settings.sync_button
    return process.app_name(current_app) if has_button else None


def _start_process(name: str, run_id: str) -> None:
    from clever_login.rosters.updates import requests

    app = cast(LocalProxy[Flask], current_app)._get_current_object()
    try:
        process.start(name, run_id, lambda code: _note_end(app, run_id, code))
    except OSError as error:
        log_event("sync_not_started", level=logging.ERROR, cause=type(error).__name__)
        requests.mark_ended(run_id)


def _note_end(app: Flask, run_id: str, exit_code: int) -> None:
    """Finish a run whose process has ended without a result: it was killed, or found no app."""
    from clever_login.rosters.updates import requests

    with app.app_context():
        try:
            has_no_result = requests.mark_ended(run_id)
        except DatabaseUnavailable:  # pages see that the process gives no sign of life
            return
        if has_no_result:
            log_event("sync_interrupted", level=logging.WARNING, exit_code=exit_code)


def init_app(app: Flask, flask_app: str | None) -> None:
    """Set how the process finds the app, and tell templates whether there is a button."""
    process.init_app(app, flask_app)
    app.jinja_env.globals["has_sync_button"] = lambda: button_app() is not None
