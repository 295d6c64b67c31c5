"""The words of every failure for a child, by its stable code; `error_causes` has the adults'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flask_babel import LazyString
from flask_babel import lazy_gettext as _


@dataclass(frozen=True)
class Page:
    """What happened, what to do now, and where the button leads that helps with it.

    "login" begins a login, "again" and "home" lead to the first page; where a teacher has to
    help, "teacher" has that button, too, and makes little of it.
    """

    title: LazyString
    text: LazyString
    action: Literal["login", "again", "home", "teacher"] = "home"


PAGES = {
    "login_failed": Page(
        _("You are not logged in"), _("Something went wrong. Try again."), "login"
    ),
    "login_cancelled": Page(
        _("You did not log in"), _("You stopped at Clever. You can try again."), "login"
    ),
    "login_expired": Page(_("Please log in again"), _("We lost your place. Try again."), "login"),
    "cookies_blocked": Page(
        _("This browser forgets you"),
        _("So we cannot let you in. Ask your teacher for help."),
        "teacher",
    ),
    "code_used": Page(
        _("Please log in again"), _("That link worked once. It does not work twice."), "login"
    ),
    "bad_callback": Page(_("This link does not work"), _("Go to the first page and log in there.")),
    "login_refused": Page(
        _("You cannot use this app yet"),
        _("Clever did not let you in. Tell your teacher."),
        "teacher",
    ),
    "not_a_person": Page(
        _("We cannot let you in"),
        _("This is not a person's account. Tell your teacher."),
        "teacher",
    ),
    "account_refused": Page(_("You cannot use this app yet"), _("Tell your teacher."), "teacher"),
    "claim_useless": Page(
        _("This link does not work any more"), _("Ask your teacher for a new one."), "teacher"
    ),
    "district_not_allowed": Page(
        _("Your school does not use this app yet"), _("Tell your teacher."), "teacher"
    ),
    "too_busy": Page(_("Many people are logging in"), _("Wait a minute. Then try again."), "login"),
    "crowded": Page(_("Many people are logging in"), _("Wait a minute. Then try again."), "login"),
    "clever_misconfigured": Page(
        _("Logging in does not work yet"),
        _("It is not your fault. Tell your teacher."),
        "teacher",
    ),
    "clever_unavailable": Page(
        _("Clever is not answering"), _("Wait a minute. Then try again."), "login"
    ),
    "clever_unexpected": Page(
        _("Something went wrong"), _("Clever sent us something strange. Try again."), "login"
    ),
    "wrong_person": Page(
        _("We are not sure who you are"), _("So we did not log you in. Try again."), "login"
    ),
    "wrong_host": Page(_("This app is somewhere else"), _("The button takes you there.")),
    "store_unavailable": Page(
        _("We need a short break"), _("Wait a minute. Then try again."), "again"
    ),
    "database_unavailable": Page(
        _("We need a short break"), _("Wait a minute. Then try again."), "again"
    ),
    "form_expired": Page(
        _("Please try again"), _("That page was too old. The button takes you back.")
    ),
    "http_400": Page(
        _("This link does not work"), _("Something in it is wrong. The button takes you back.")
    ),
    "http_401": Page(_("Please log in"), _("You were away for a while. Log in again."), "login"),
    "http_403": Page(_("This page is not for you"), _("The button takes you back.")),
    "http_404": Page(_("This page is not here"), _("The button takes you back.")),
    "http_405": Page(_("This page does not work that way"), _("The button takes you back.")),
    "http_413": Page(_("That is too much"), _("What you sent is too big. Send less.")),
    "http_500": Page(
        _("Something went wrong"), _("It is our fault, not yours. Try again."), "again"
    ),
}
