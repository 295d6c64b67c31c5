"""Access control: every route requires a login unless it is marked `public`.

A page redirects users without a login to the first page. Anything else answers 401.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, abort, current_app, redirect, request
from werkzeug import Response

from clever_login.clever.models import Role
from clever_login.config import Settings
from clever_login.sessions.login_session import login_session
from clever_login.web import fetch_metadata
from clever_login.web.fetch_metadata import SAFE_METHODS
from clever_login.web.routing import home_url, safe_next

P = ParamSpec("P")
R = TypeVar("R")


def roles_required(*roles: Role | str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Restrict a view to users whose current role is one of these; others get a 403.

    Roles may be given by name ("teacher"). Raises ValueError for an unknown role.
    """
    allowed = {Role(role) for role in roles}

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            user = login_session().current_user()
            if user is None or user.role not in allowed:
                abort(403)
            return view(*args, **kwargs)

        return guarded

    return decorate


def init_app(app: Flask, settings: Settings) -> None:
    """Require a login for every unmarked route, and refuse forms sent from another site."""

    @app.before_request
    def same_origin() -> None:
        if request.method in SAFE_METHODS:
            return
        if fetch_metadata.is_from_another_origin(settings.app_url):
            abort(403)

    @app.before_request
    def private_by_default() -> Response | None:
        if request.endpoint is None or _is_public(request.endpoint):
            return None
        if login_session().current_user() is not None:
            return None
        if request.method not in SAFE_METHODS or not fetch_metadata.wants_page():
            abort(401)
        response = redirect(home_url(next=safe_next(request.full_path.rstrip("?"))))
        response.vary.update(fetch_metadata.PAGE_HEADERS)
        return response


def _is_public(endpoint: str) -> bool:
    view = current_app.view_functions[endpoint]
    return endpoint == "static" or getattr(view, "public", False)
