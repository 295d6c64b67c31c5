"""The words of every failure, by its stable code: for a child, then for the adult beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flask_babel import LazyString
from flask_babel import lazy_gettext as _


@dataclass(frozen=True)
class Page:
    """What an error page says, and what its button does: log in anew, or go to the first page."""

    title: LazyString
    text: LazyString
    adult: LazyString
    action: Literal["login", "home"] = "home"


PAGES = {
    "login_failed": Page(
        _("You are not logged in"),
        _("Something went wrong. Try again."),
        _("The login failed for a reason that has no page of its own."),
        "login",
    ),
    "login_cancelled": Page(
        _("You did not log in"),
        _("You stopped at Clever. You can try again."),
        _("Clever reported that the person cancelled the login."),
        "login",
    ),
    "login_expired": Page(
        _("Please log in again"),
        _("We lost your place. Try again."),
        _(
            "The login was started in another browser, or too long ago. If this keeps happening, "
            "cookies are blocked in this browser: allow them for this site."
        ),
        "login",
    ),
    "code_used": Page(
        _("Please log in again"),
        _("That link worked once. It does not work twice."),
        _("Clever's authorization code was used before, or is older than a minute."),
        "login",
    ),
    "bad_callback": Page(
        _("This link does not work"),
        _("Go to the first page and log in there."),
        _("The address was not one that Clever sends a browser to."),
    ),
    "login_refused": Page(
        _("You cannot use this app yet"),
        _("Clever did not let you in. Tell your teacher."),
        _(
            "Clever refused the login. Most often the app is not shared with this person: the "
            "district's Clever administrator can share it."
        ),
    ),
    "not_a_person": Page(
        _("This is not a person's account"),
        _("Tell your teacher."),
        _("The token belongs to a district, not to a student or a member of staff."),
    ),
    "account_refused": Page(
        _("You cannot use this app yet"),
        _("Tell your teacher."),
        _("This app turned the account away. Whoever runs it decides who may use it."),
    ),
    "account_archived": Page(
        _("Your account is resting"),
        _("Your school does not share you with this app now. Tell your teacher."),
        _(
            "Clever no longer shares the person, or the whole district, with this app. What they "
            "had here is kept: they can log in once they are shared again and the next sync has "
            "run."
        ),
    ),
    "claim_useless": Page(
        _("This link does not work any more"),
        _("It works once, and not for long. Ask for a new one."),
        _(
            "Links to accounts from before Clever are used up or out of date after a while. "
            "Whoever runs this app can make another."
        ),
    ),
    "district_not_allowed": Page(
        _("Your school does not use this app yet"),
        _("Tell your teacher."),
        _("The person's district is not among those that this app was set up for."),
    ),
    "too_busy": Page(
        _("Many people are logging in"),
        _("Wait a minute. Then try again."),
        _("Clever answers slowly, and too many logins are waiting for it already."),
        "login",
    ),
    "clever_misconfigured": Page(
        _("Logging in does not work yet"),
        _("It is not your fault. Tell your teacher."),
        _(
            "Clever does not accept this app's credentials or redirect URI. Whoever runs the app "
            "must compare its settings with Clever's dashboard."
        ),
    ),
    "clever_unavailable": Page(
        _("Clever is not answering"),
        _("Wait a minute. Then try again."),
        _("Clever did not answer, or said that it cannot now. Its state is at status.clever.com."),
        "login",
    ),
    "clever_unexpected": Page(
        _("Something went wrong"),
        _("Clever sent us something strange. Try again."),
        _("Clever's answer did not have the shape that its documentation describes."),
        "login",
    ),
    "wrong_person": Page(
        _("We are not sure who you are"),
        _("So we did not log you in. Try again."),
        _("Clever's records named two different people for one login."),
        "login",
    ),
    "wrong_host": Page(
        _("This app is somewhere else"),
        _("Go to the first page."),
        _(
            "This address is not the one that the app was given in APP_URL. Whoever runs it must "
            "set APP_URL to the address that people use."
        ),
    ),
    "store_unavailable": Page(
        _("We need a short break"),
        _("Wait a minute. Then try again."),
        _("The app's session store does not answer."),
    ),
    "database_unavailable": Page(
        _("We need a short break"),
        _("Wait a minute. Then try again."),
        _("The app's database does not answer, or waits for an upgrade: /readyz says which."),
    ),
    "form_expired": Page(
        _("Please try again"),
        _("That page was too old."),
        _(
            "The form's token did not belong to the session: the page was open for too long, or "
            "somebody else has logged in since."
        ),
    ),
    "http_400": Page(
        _("This link does not work"),
        _("Something in it is wrong."),
        _("The request was not one that this app can answer."),
    ),
    "http_401": Page(
        _("Please log in"), _("You were away for a while."), _("The session had ended."), "login"
    ),
    "http_403": Page(
        _("This page is not for you"),
        _("Go back to your own page."),
        _("The current role may not open this page, or the form came from another site."),
    ),
    "http_404": Page(
        _("This page is not here"),
        _("Look at the address, or go back."),
        _("There is no page at this address."),
    ),
    "http_405": Page(
        _("This page does not work that way"),
        _("Go back and try again."),
        _("The address does not take this kind of request."),
    ),
    "http_413": Page(
        _("That is too much"), _("Send us less."), _("The request was larger than any of ours.")
    ),
    "http_500": Page(
        _("Something went wrong"),
        _("It is our fault, not yours. Try again."),
        _("The app failed. The reference leads whoever runs it to the line in the log."),
    ),
}
