"""/oauth/callback: where all three ways in end.

The button comes back with a state of ours. The Clever Portal and an Instant Login link come with a
code and no state: that code is dropped, and the login begun anew with a state, as Clever's guide
asks. Every code that arrives and is not exchanged becomes useless here, see `used_codes`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from flask import Blueprint, Flask, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from clever_login import arrival, crowd, identity, languages, logs, session
from clever_login.access import public
from clever_login.auth import send_to_clever
from clever_login.errors import (
    BadCallback,
    CleverHungUp,
    CodeSeenBefore,
    CodeUsed,
    CookiesBlocked,
    LoginCancelled,
    LoginError,
    LoginExpired,
    LoginRefused,
    NotJson,
)
from clever_login.pending import PendingLogin, digest, nonce
from clever_login.services import services
from clever_login.session import CurrentUser
from clever_login.settings import Settings

bp = Blueprint("callback", __name__)
# Failures after which the login is restarted once, and the reason in the log.
RESTARTED_ONCE: dict[type[Exception], str] = {
    CleverHungUp: "interrupted",
    NotJson: "interrupted",
    CodeSeenBefore: "used",
}


@bp.get("/oauth/callback")
@public
def callback() -> ResponseReturnValue:
    """End a login, or lead it back to its beginning."""
    if arrival.only_looks():
        return "", 204
    arrival.check_parameters()
    state, code = request.args.get("state"), request.args.get("code")
    if not state:
        return _arrived_without_state(code)
    return _came_back(digest(state), code)


@bp.get("/login/again")
@public
def again() -> ResponseReturnValue:
    """Where a repeated callback leads: on to the page, or once more to Clever.

    A double click cancels the first answer, and with it the cookie of its session.
    """
    state = request.args.get("login", "")
    login = services().pending.find(request, state)
    if session.logged_in_by(state):
        return redirect(login.next if login and login.next else url_for("dashboard.show"))
    if login is None:
        return redirect(url_for("dashboard.home"))
    if login.restarts == 0:
        return _restart(login, state, "used")
    raise CodeUsed("the state was used before")


def _arrived_without_state(code: str | None) -> ResponseReturnValue:
    """Launched by Clever, or by nobody: never exchange this code."""
    if not arrival.top_level_navigation():
        raise BadCallback("no state, and not a browser's own navigation")
    if code:
        logs.event("login_restarted", reason="no_state")
        claimed = arrival.impersonation_claimed()
        return send_to_clever(PendingLogin(impersonation_claimed=claimed))
    if request.args.get("error"):
        return _not_ours(BadCallback("an error without a state"))
    return redirect(url_for("dashboard.home"))  # a bookmark, or Clever's staff having a look


def _came_back(state: str, code: str | None) -> ResponseReturnValue:
    """A callback with a state: ours or not, in time or not, for the first time or not."""
    pending = services().pending
    login = pending.find(request, state)
    if login is None:
        return _not_ours(_lost())
    if login.expired:
        return _restart(login, state, "expired")
    with crowd.one_of_few():
        if pending.spend(state, code):
            return _finish(login, state, code)
    return _used(state, code)


def _lost() -> LoginError:
    """Why no login waits: whoever comes from Clever itself has the cookie, if any is kept."""
    if arrival.from_elsewhere() and not request.cookies:
        return CookiesBlocked("the browser sent no cookie at all")
    return LoginExpired("no login of this browser waits for this state")


def _restart(login: PendingLogin, state: str, reason: str) -> Response:
    """Begin the same login once more, without a word to the person."""
    logs.event("login_restarted", reason=reason)
    response = send_to_clever(replace(login, restarts=login.restarts + 1))
    services().pending.forget(response, state)
    return response


def _not_ours(error: LoginError) -> ResponseReturnValue:
    """A callback that this browser did not ask for changes nothing for whoever is logged in."""
    if session.current_user() is not None:
        logs.event("callback_ignored", reason=str(error))
        return redirect(url_for("dashboard.show"))
    raise error


def _used(state: str, code: str | None) -> ResponseReturnValue:
    """Refresh, Back, a bookmark, a double click, an iPad's second delivery: all quiet.

    The answer sets no cookie, so it cannot take away what the first one has set.
    """
    logs.event("callback_repeated")
    if services().pending.spent_with(state, code):
        g.exchanged_code = code  # by the first request, which may still be about to claim it
    if session.logged_in_by(state):
        return redirect(url_for("dashboard.show"))
    services().pending.wait(state)
    return redirect(url_for("callback.again", login=state))


def _finish(login: PendingLogin, state: str, code: str | None) -> ResponseReturnValue:
    """Exchange, read, check, log in. If any of it fails, whoever was logged in no longer is."""
    pending, former = services().pending, session.current_user()
    claimed = login.impersonation_claimed or arrival.impersonation_claimed()
    login = replace(login, impersonation_claimed=claimed)
    try:
        user = identity.of(_claimed(_code_or_error(code)), nonce(state))
    except Exception as error:
        session.log_out()
        pending.ended(state)
        reason = RESTARTED_ONCE.get(type(error))
        if reason and login.restarts == 0:
            return _restart(login, state, reason)
        raise
    user = replace(user, impersonation_claimed=claimed)
    session.log_in(user, state)
    pending.ended(state)
    response = redirect(login.next or url_for("dashboard.show"), 303)
    pending.forget(response, state)
    pending.confirmed(request, response)
    if former and former.clever_id != user.clever_id:
        languages.forget(response)
    session.when_saved(partial(_log_login, user))
    return response


def _log_login(user: CurrentUser) -> None:
    logs.event(
        "login",
        role=user.role or "none",
        person=user.pseudonym,
        district=user.district_pseudonym,
        impersonation_claimed=user.impersonation_claimed,
    )


def _code_or_error(code: str | None) -> str:
    """The code, or Clever's `error` by its few known values; its text is not shown or logged."""
    issuer = request.args.get("iss", services().settings.clever_url)
    if issuer != services().settings.clever_url:  # RFC 9207, section 2.4
        raise BadCallback("the callback names another issuer")
    error = request.args.get("error")
    if error == "access_denied":
        raise LoginCancelled("the person said no at Clever")
    if error is not None:
        raise LoginRefused("Clever sent an error instead of a code")
    if not code:
        raise BadCallback("a state of ours, and no code")
    return code


def _claimed(code: str) -> str:
    """The code, reserved for this request; CodeSeenBefore if the app has seen it before."""
    if not services().codes.claim(code):
        raise CodeSeenBefore("the code was exchanged, refused or dropped before")
    g.exchanged_code = code
    return code


@bp.after_request
def _drop_unused_codes(response: Response) -> Response:
    """Make each code useless that came with this request and was not exchanged.

    Whatever refused the request, also before the view ran, the code is still valid at Clever.
    """
    for code in arrival.final_codes():
        if code != g.get("exchanged_code") and not services().codes.drop(code):
            logs.event("code_not_shared", level=logging.WARNING)
    return response


def init_app(app: Flask, _settings: Settings) -> None:
    """Mount the views."""
    app.register_blueprint(bp)
