"""/oauth/callback: completes every login.

Logins started from the login button return with this app's state. Logins started from the Clever
Portal or an Instant Login link arrive with a code and no state: the app drops that code and
restarts the login with its own state, as Clever's guide recommends. Every code that arrives here
and is not exchanged is invalidated, see `used_codes`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import partial

from flask import g, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from clever_login.auth import authentication, link_views, load_shedding
from clever_login.auth.account_hooks import account_hooks
from clever_login.auth.authentication import Authentication
from clever_login.auth.login_views import redirect_to_clever
from clever_login.auth.other_logins import announce_login
from clever_login.auth.pending_logins import (
    PendingLogin,
    derive_nonce,
    digest_state,
    pending_logins,
)
from clever_login.auth.used_codes import used_codes
from clever_login.errors import (
    BadCallback,
    CleverConnectionLost,
    CodeAlreadySeen,
    CodeUsed,
    CookiesBlocked,
    LoginCancelled,
    LoginError,
    LoginExpired,
    LoginRefused,
    NotJson,
)
from clever_login.i18n import languages
from clever_login.logs.events import log_event
from clever_login.services import services
from clever_login.sessions.login_session import login_session
from clever_login.web import fetch_metadata
from clever_login.web.routing import NAMESPACE, Routes, after_login_url, home_url, public

routes = Routes()
# Failures after which the login is restarted once, and the reason in the log.
RESTARTED_ONCE: dict[type[Exception], str] = {
    CleverConnectionLost: "interrupted",
    NotJson: "interrupted",
    CodeAlreadySeen: "used",
}


@routes.get("/oauth/callback")
@public
def callback() -> ResponseReturnValue:
    """Complete a login or restart it."""
    if fetch_metadata.is_head_or_prefetch():
        return "", 204
    fetch_metadata.check_parameters()
    state, code = request.args.get("state"), request.args.get("code")
    if not state:
        return _handle_missing_state(code)
    return _handle_state(digest_state(state), code)


@routes.get("/login/again")
@public
def again() -> ResponseReturnValue:
    """Redirect a repeated callback to the requested page, or restart the login once.

    A double click cancels the first response, which may have carried the session cookie.
    """
    state = request.args.get("login", "")
    login = pending_logins().find(request, state)
    if login_session().was_logged_in_by(state):
        return redirect(login.next if login and login.next else after_login_url())
    if login is None:
        return redirect(home_url())
    if login.restarts == 0:
        return _restart_login(login, state, "used")
    raise CodeUsed("the state was already used")


def _handle_missing_state(code: str | None) -> ResponseReturnValue:
    """Restart a login that Clever started. The code is never exchanged.

    Raises BadCallback for a request that is not a browser's own navigation.
    """
    if not fetch_metadata.is_top_level_navigation():
        raise BadCallback("no state, and the request is not a browser navigation")
    if code:
        log_event("login_restarted", reason="no_state")
        claimed = fetch_metadata.impersonation_claimed()
        return redirect_to_clever(PendingLogin(impersonation_claimed=claimed))
    if request.args.get("error"):
        return _ignore_unrequested_callback(BadCallback("an error without a state"))
    return redirect(home_url())  # a bookmark, or a visit from Clever's staff


def _handle_state(state: str, code: str | None) -> ResponseReturnValue:
    """Handle a callback with a state, which may be unknown, expired, or already used."""
    pending = pending_logins()
    login = pending.find(request, state)
    if login is None:
        return _ignore_unrequested_callback(_missing_login_error())
    if login.expired:
        return _restart_login(login, state, "expired")
    try:
        code = _validated_code(code)
    except LoginError as error:
        return _handle_missing_code(login, error)
    with load_shedding.login_slot():
        if pending.spend(state, code, login.age):
            return _finish_login(login, state, code)
    return _handle_used_state(state, code)


def _handle_missing_code(login: PendingLogin, error: LoginError) -> ResponseReturnValue:
    """Show why Clever sent no code. Nothing is stored: the state stays unused.

    The user who was logged in before this login is logged out, as after every failure. One who has
    logged in since then opened this address again, as with the Back button, and stays.
    """
    session = login_session()
    user = session.current_user()
    began = time.time() - login.age + 1  # at the latest: the cookie has whole seconds
    if user is not None and user.logged_in_at > began:
        return _ignore_unrequested_callback(error)
    if not login.link:
        session.log_out()
    raise error


def _missing_login_error() -> LoginError:
    """Return the reason why no login is pending for this state.

    A browser that comes from Clever sends the cookies of this app if it stores any.
    """
    if fetch_metadata.is_from_another_site() and not request.cookies:
        return CookiesBlocked("the browser sent no cookie at all")
    return LoginExpired("this browser has no pending login with this state")


def _restart_login(login: PendingLogin, state: str, reason: str) -> Response:
    """Start the same login again without asking the user."""
    log_event("login_restarted", reason=reason)
    response = redirect_to_clever(replace(login, restarts=login.restarts + 1))
    pending_logins().forget(response, state)
    return response


def _ignore_unrequested_callback(error: LoginError) -> ResponseReturnValue:
    """Redirect to the dashboard if a user is logged in, else raise the error.

    A callback that this browser did not request must not change the current user's session.
    """
    if login_session().current_user() is not None:
        log_event("callback_ignored", reason=str(error))
        return redirect(after_login_url())
    raise error


def _handle_used_state(state: str, code: str) -> ResponseReturnValue:
    """Redirect a repeated callback to the dashboard or to `again`, without an error.

    A reload, Back, a bookmark, a double click, or an iPad's second delivery repeats a callback. The
    response sets no cookie, so it cannot overwrite the session cookie of the first response.
    """
    log_event("callback_repeated")
    if pending_logins().spent_with(state, code):
        g.exchanged_code = code  # by the first request, which may not have claimed it yet
    if login_session().was_logged_in_by(state):
        return redirect(after_login_url())
    pending_logins().wait(state)
    return redirect(url_for("clever_login.again", login=state))


def _finish_login(login: PendingLogin, state: str, code: str) -> ResponseReturnValue:
    """Exchange the code, load the user, and log the user in, or ask whether to connect them.

    If any step of a login fails, the user who was logged in before is logged out.
    """
    pending = pending_logins()
    claimed = login.impersonation_claimed or fetch_metadata.impersonation_claimed()
    login = replace(login, impersonation_claimed=claimed)
    try:
        response = _keep_for_link(login, state, code) if login.link else _log_in(login, state, code)
    except Exception as error:
        if not login.link:
            login_session().log_out()
        pending.ended(state)
        reason = RESTARTED_ONCE.get(type(error))
        if reason and login.restarts == 0:
            return _restart_login(login, state, reason)
        raise
    pending.ended(state)
    pending.forget(response, state)
    pending.confirmed(request, response)
    return response


def _log_in(login: PendingLogin, state: str, code: str) -> Response:
    session = login_session()
    former = session.current_user()
    authenticated = authentication.authenticate_user(
        _claimed(code),
        derive_nonce(state),
        impersonated=login.impersonation_claimed,
    )
    user = authenticated.user
    session.log_in(user, state)
    on_login = account_hooks().on_login
    own_response = on_login(authenticated.identity) if on_login else None
    if own_response is None:
        session.check_account()
    response = make_response(own_response or redirect(login.next or after_login_url(), 303))
    if former and (former.provider, former.subject) != (user.provider, user.subject):
        languages.clear_language_cookie(response)
    session.call_after_save(partial(_announce_login, authenticated))
    return response


def _keep_for_link(login: PendingLogin, state: str, code: str) -> Response:
    return link_views.keep_for_confirmation(
        login,
        _claimed(code),
        derive_nonce(state),
        impersonated=login.impersonation_claimed,
    )


def _announce_login(authenticated: Authentication) -> None:
    user = authenticated.user
    account_id = login_session().account_id() or user.account_id
    announce_login(user, authenticated.identity, account_id)


def _validated_code(code: str | None) -> str:
    """Return the code. Raises LoginError if the callback has an error or no code.

    Clever's `error` is classified by its known values; its text is neither shown nor logged.
    """
    issuer = request.args.get("iss", services().settings.clever_url)
    if issuer != services().settings.clever_url:  # RFC 9207, section 2.4
        raise BadCallback("the callback names another issuer")
    error = request.args.get("error")
    if error == "access_denied":
        raise LoginCancelled("the user refused access at Clever")
    if error is not None:
        raise LoginRefused("Clever sent an error instead of a code")
    if not code:
        raise BadCallback("a valid state, but no code")
    return code


def _claimed(code: str) -> str:
    """Reserve the code for this request and return it.

    Raises CodeAlreadySeen if the app has seen the code before.
    """
    if not used_codes().claim(code):
        raise CodeAlreadySeen("the code was already exchanged, refused or dropped")
    g.exchanged_code = code
    return code


def drop_unused_codes(response: Response) -> Response:
    """Invalidate each code that came with this callback and was not exchanged.

    CleverLogin calls this after each request, because codes of requests that were refused before
    the view ran are still valid at Clever.
    """
    if request.endpoint != f"{NAMESPACE}.callback":
        return response
    for code in fetch_metadata.final_codes():
        if code != g.get("exchanged_code") and not used_codes().drop(code):
            log_event("code_not_shared", level=logging.WARNING)
    return response
