"""/healthz (this process answers) and /readyz (its session store does, too)."""

from __future__ import annotations

from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue

from clever_login.access import public
from clever_login.errors import StoreUnavailable
from clever_login.services import services
from clever_login.settings import Settings

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
    """Whether the store answers; Clever is not asked, its outage is not ours."""
    try:
        services().store.ping()
    except StoreUnavailable:
        return "the session store does not answer\n", 503, TEXT
    return "ready\n", 200, TEXT


def init_app(app: Flask, _settings: Settings) -> None:
    """Mount the views."""
    app.register_blueprint(bp)
