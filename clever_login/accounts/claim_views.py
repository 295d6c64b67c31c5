"""/claim: the page behind a one-time link to an account from before Clever.

The token is in the query and not in the path, because access logs contain paths.
"""

from __future__ import annotations

from dataclasses import replace

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clever_login.logs.events import log_event
from clever_login.sessions import end_sessions
from clever_login.sessions.user_session import current_user, log_in
from clever_login.web.routing import Routes, after_login_url, public

routes = Routes()


@routes.get("/claim")
@public
def claim() -> ResponseReturnValue:
    """Ask the user to log in, then to confirm the merge. Changes nothing yet."""
    from clever_login.accounts import claims

    token, user = request.args.get("token", ""), current_user()
    if not token:
        return render_template("clever_login/no_link.html")
    invitation = claims.preview(token, user.clever_id if user else None)
    claim_url = url_for("clever_login.claim", token=token)
    if user is None or user.clever_id is None:
        return render_template("clever_login/log_in_first.html", next=claim_url)
    had_account = claims.had_account_before(user.clever_id, user.logged_in_at)
    return render_template(
        "clever_login/claim.html",
        token=token,
        invitation=invitation,
        had_account=had_account,
        login_next=claim_url,  # where a login instead of an impersonation ends
    )


@routes.post("/claim", "redeem_claim")
def redeem() -> ResponseReturnValue:
    """Merge the link's account with the logged-in user, who has confirmed it."""
    from clever_login.accounts import claims

    user = current_user() or abort(401)
    clever_id = user.clever_id or abort(403)  # someone who has not proven who they are at Clever
    result = claims.redeem(request.form.get("token", ""), clever_id)
    # Sessions in other browsers still name the former account.
    former = [result.former_clever_id] if result.former_clever_id else []
    end_sessions.by_clever_id(people=[clever_id, *former])
    log_in(replace(user, account_id=result.account_id, person_id=result.account_id), "")
    log_event("account_claimed", person=user.pseudonym)
    return redirect(after_login_url(), 303)
