"""/healthz (this process answers) and /readyz (its session store and database do, too)."""

from __future__ import annotations

from flask import Blueprint, Flask, current_app
from flask.typing import ResponseReturnValue

from clever_login.access import public
from clever_login.errors import StoreUnavailable
from clever_login.services import services
from clever_login.settings import Settings
from clever_login.store import probe

bp = Blueprint("health", __name__)
TEXT = {"Content-Type": "text/plain; charset=utf-8"}


@bp.get("/healthz")
@public
def healthz() -> ResponseReturnValue:
    """Answers without session or store, so that a store that is down restarts nothing."""
    return "ok\n", 200, TEXT


@bp.get("/readyz")
@public
def readyz() -> ResponseReturnValue:
    """Whether store and database answer; Clever is not asked, its outage is not ours."""
    try:
        probe(services().store)
    except StoreUnavailable as error:
        return f"{error}\n", 503, TEXT
    for not_ready in current_app.config.get("READY_CHECKS", ()):
        if why := not_ready():
            return f"{why}\n", 503, TEXT
    return "ready\n", 200, TEXT


def init_app(app: Flask, _settings: Settings) -> None:
    """Mount the views."""
    app.register_blueprint(bp)
