"""A session whose link claimed an impersonation can read, and change nothing for the user.

Clever marks a login of an administrator as another user ("Log in as") in the URL. Anyone can add
this mark to a link or remove it. So it takes rights from a session and gives none, and each page
has a button that ends such a session and starts a login without the mark.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from flask import Blueprint, Flask, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from clever_login import signals
from clever_login.logs.events import log_event
from clever_login.logs.notifications import notify
from clever_login.logs.pseudonyms import NOBODY_PSEUDONYM
from clever_login.sessions.login_session import login_session
from clever_login.web.error_pages import ReadOnlySession
from clever_login.web.fetch_metadata import SAFE_METHODS
from clever_login.web.routing import Routes, impersonation_allowed, public, safe_next

P = ParamSpec("P")
R = TypeVar("R")
routes = Routes()


def impersonation_claimed() -> bool:
    """Whether the link of the current login claimed that an administrator acts as the user.

    Anyone can forge the claim: refuse changes because of it, and never allow anything.
    """
    return login_session().impersonation_claimed()


@routes.post("/log-in-as-myself", "end_impersonation")
@public
@impersonation_allowed
def end() -> ResponseReturnValue:
    """End the session, and start a login without the mark.

    Without a session no CSRF token is needed, as for a logout.
    """
    session = login_session()
    user = session.current_user()
    account_id = session.account_id()
    if user is not None or account_id is not None:
        session.check_csrf_token()
        session.log_out()
        log_event("logout", person=user.pseudonym if user else NOBODY_PSEUDONYM)
        notify(signals.logged_out, account_id=account_id)
    next_url = safe_next(request.form.get("next"))
    district = user.district_id if user else None
    return redirect(url_for("clever_login.login", next=next_url, district_id=district), 303)


def init_app(target: Flask | Blueprint) -> None:
    """Refuse changes in the views of an app, or of a blueprint."""
    target.before_request(_refuse_changes)


def _refuse_changes() -> None:
    """Raise ReadOnlySession for a request that may change something, unless its view allows it."""
    if request.method in SAFE_METHODS or request.endpoint is None:
        return
    view: Callable[..., Any] = current_app.view_functions[request.endpoint]
    if not getattr(view, "impersonation_allowed", False) and impersonation_claimed():
        raise ReadOnlySession
