"""/link: connects the account that is logged in by another method to a user of Clever.

Nothing is stored before the user says yes: Clever's answer waits in an encrypted cookie, for ten
minutes and for this account only.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

import msgspec
from cryptography.fernet import InvalidToken, MultiFernet
from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug import Response

from clever_login.auth import authentication
from clever_login.auth.account_hooks import account_hooks
from clever_login.auth.identity import Identity
from clever_login.auth.login_views import redirect_to_clever
from clever_login.auth.pending_logins import PendingLogin
from clever_login.errors import AccountRefused, LoginExpired
from clever_login.logs.events import log_event
from clever_login.logs.pseudonyms import pseudonym
from clever_login.services import services
from clever_login.sessions.login_session import login_session
from clever_login.sessions.session_interface import derive_fernet
from clever_login.web.routing import Routes, after_login_url, safe_next

routes = Routes()
VALIDITY_SECONDS = 10 * 60


@dataclass(frozen=True)
class _Waiting:
    """A user whom Clever has identified, and the account that asked for them."""

    account: str  # a digest
    identity: Identity


@routes.post("/link")
def link() -> ResponseReturnValue:
    """Send the logged-in account's owner to Clever. Responds 401 if nobody is logged in."""
    account_id = _account_id()
    login_session().check_csrf_token()
    return redirect_to_clever(
        PendingLogin(link=_digest(account_id), next=safe_next(request.form.get("next")))
    )


def keep_for_confirmation(
    login: PendingLogin, code: str, nonce: str, *, impersonated: bool
) -> Response:
    """Identify the user at Clever, and redirect to the page that asks whether to connect them.

    Raises LoginExpired if another account is logged in now, AccountRefused for an administrator who
    acts as the user, and LoginError if Clever does not identify the user.
    """
    if not hmac.compare_digest(_digest(_account_id()), login.link or ""):
        raise LoginExpired("another account has logged in since the link was started")
    if impersonated:
        raise AccountRefused(_("Only the person themselves can connect their account to Clever."))
    profile = authentication.identify(code, nonce)
    identity = Identity.from_profile(profile, person_id=None)
    waiting = _Waiting(login.link or "", identity)
    sealed = _fernet().encrypt(msgspec.msgpack.encode(waiting)).decode()
    response = redirect(url_for("clever_login.confirm_link", next=login.next), 303)
    name, secure = _cookie()
    response.set_cookie(
        name, sealed, max_age=VALIDITY_SECONDS, secure=secure, httponly=True, samesite="Lax"
    )
    return response


@routes.get("/link/confirm", "confirm_link")
def show_confirmation() -> ResponseReturnValue:
    """Ask whether to connect the user of Clever to this account."""
    next_url = safe_next(request.args.get("next"))
    identity = _waiting_identity(_account_id())
    return render_template("clever_login/link.html", identity=identity, next=next_url)


@routes.post("/link/confirm", "save_link")
def confirm() -> ResponseReturnValue:
    """Connect them: the app stores the identity with the account."""
    account_id = _account_id()
    login_session().check_csrf_token()
    identity = _waiting_identity(account_id)
    on_link = account_hooks().on_link or abort(404)
    on_link(account_id, identity)
    secret = services().settings.secret_key
    log_event("account_linked", person=pseudonym(secret, "person", identity.subject))
    response = redirect(safe_next(request.form.get("next")) or after_login_url(), 303)
    name, secure = _cookie()
    response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")
    return response


def _account_id() -> str:
    return login_session().account_id() or abort(401)


def _waiting_identity(account_id: str) -> Identity:
    """Return the identity in this browser's cookie. Raises LoginExpired for another account."""
    sealed = request.cookies.get(_cookie()[0], "")
    try:
        waiting = msgspec.msgpack.decode(_fernet().decrypt(sealed, VALIDITY_SECONDS), type=_Waiting)
    except (InvalidToken, msgspec.DecodeError) as error:
        raise LoginExpired("there is nothing to confirm, or it is older than 10 minutes") from error
    if not hmac.compare_digest(waiting.account, _digest(account_id)):
        raise LoginExpired("what waits for confirmation belongs to another account")
    return waiting.identity


def _fernet() -> MultiFernet:
    return derive_fernet(services().settings.secrets, "link")


def _digest(account_id: str) -> str:
    """Return what stands for an account in a cookie."""
    return hashlib.sha256(f"account {account_id}".encode()).hexdigest()


def _cookie() -> tuple[str, bool]:
    """Return the cookie's name, and whether it requires HTTPS."""
    https = services().settings.https
    return ("__Host-link" if https else "link"), https
