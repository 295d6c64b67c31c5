"""The words of every failure, by its stable code: for a child, then for the adult beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Page:
    """What an error page says, and what its button does: log in anew, or go to the first page."""

    title: str
    text: str
    adult: str
    action: Literal["login", "home"] = "home"


PAGES = {
    "login_failed": Page(
        "You are not logged in",
        "Something went wrong. Try again.",
        "The login failed for a reason that has no page of its own.",
        "login",
    ),
    "login_cancelled": Page(
        "You did not log in",
        "You stopped at Clever. You can try again.",
        "Clever reported that the person cancelled the login.",
        "login",
    ),
    "login_expired": Page(
        "Please log in again",
        "We lost your place. Try again.",
        "The login was started in another browser, or too long ago. If this keeps happening, "
        "cookies are blocked in this browser: allow them for this site.",
        "login",
    ),
    "code_used": Page(
        "Please log in again",
        "That link worked once. It does not work twice.",
        "Clever's authorization code was used before, or is older than a minute.",
        "login",
    ),
    "bad_callback": Page(
        "This link does not work",
        "Go to the first page and log in there.",
        "The address was not one that Clever sends a browser to.",
    ),
    "login_refused": Page(
        "You cannot use this app yet",
        "Clever did not let you in. Tell your teacher.",
        "Clever refused the login. Most often the app is not shared with this person: the "
        "district's Clever administrator can share it.",
    ),
    "not_a_person": Page(
        "This is not a person's account",
        "Tell your teacher.",
        "The token belongs to a district, not to a student or a member of staff.",
    ),
    "account_refused": Page(
        "You cannot use this app yet",
        "Tell your teacher.",
        "This app turned the account away. Whoever runs it decides who may use it.",
    ),
    "account_archived": Page(
        "Your account is resting",
        "Your school does not share you with this app now. Tell your teacher.",
        "Clever no longer shares the person, or the whole district, with this app. What they had "
        "here is kept: they can log in once they are shared again and the next sync has run.",
    ),
    "claim_useless": Page(
        "This link does not work any more",
        "It works once, and not for long. Ask for a new one.",
        "Links to accounts from before Clever are used up or out of date after a while. Whoever "
        "runs this app can make another.",
    ),
    "district_not_allowed": Page(
        "Your school does not use this app yet",
        "Tell your teacher.",
        "The person's district is not among those that this app was set up for.",
    ),
    "too_busy": Page(
        "Many people are logging in",
        "Wait a minute. Then try again.",
        "Clever answers slowly, and too many logins are waiting for it already.",
        "login",
    ),
    "clever_misconfigured": Page(
        "Logging in does not work yet",
        "It is not your fault. Tell your teacher.",
        "Clever does not accept this app's credentials or redirect URI. Whoever runs the app must "
        "compare its settings with Clever's dashboard.",
    ),
    "clever_unavailable": Page(
        "Clever is not answering",
        "Wait a minute. Then try again.",
        "Clever did not answer, or said that it cannot now. Its state is at status.clever.com.",
        "login",
    ),
    "clever_unexpected": Page(
        "Something went wrong",
        "Clever sent us something strange. Try again.",
        "Clever's answer did not have the shape that its documentation describes.",
        "login",
    ),
    "wrong_person": Page(
        "We are not sure who you are",
        "So we did not log you in. Try again.",
        "Clever's records named two different people for one login.",
        "login",
    ),
    "wrong_host": Page(
        "This app is somewhere else",
        "Go to the first page.",
        "This address is not the one that the app was given in APP_URL. Whoever runs it must set "
        "APP_URL to the address that people use.",
    ),
    "store_unavailable": Page(
        "We need a short break",
        "Wait a minute. Then try again.",
        "The app's session store does not answer.",
    ),
    "database_unavailable": Page(
        "We need a short break",
        "Wait a minute. Then try again.",
        "The app's database does not answer, or waits for an upgrade: /readyz says which.",
    ),
    "form_expired": Page(
        "Please try again",
        "That page was too old.",
        "The form's token did not belong to the session: the page was open for too long, or "
        "somebody else has logged in since.",
    ),
    "http_400": Page(
        "This link does not work",
        "Something in it is wrong.",
        "The request was not one that this app can answer.",
    ),
    "http_401": Page(
        "Please log in", "You were away for a while.", "The session had ended.", "login"
    ),
    "http_403": Page(
        "This page is not for you",
        "Go back to your own page.",
        "The current role may not open this page, or the form came from another site.",
    ),
    "http_404": Page(
        "This page is not here",
        "Look at the address, or go back.",
        "There is no page at this address.",
    ),
    "http_405": Page(
        "This page does not work that way",
        "Go back and try again.",
        "The address does not take this kind of request.",
    ),
    "http_413": Page(
        "That is too much", "Send us less.", "The request was larger than any of ours."
    ),
    "http_500": Page(
        "Something went wrong",
        "It is our fault, not yours. Try again.",
        "The app failed. The reference leads whoever runs it to the line in the log.",
    ),
}
