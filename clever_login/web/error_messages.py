"""The texts of every failure, by its stable code: CHILD_MESSAGES and ADULT_MESSAGES.

A child reads what to do now. The adult who helps reads the cause, what to check, and who can fix
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flask_babel import LazyString
from flask_babel import lazy_gettext as _


@dataclass(frozen=True)
class ChildMessage:
    """What happened, what to do now, and where the page's button leads.

    "login" starts a login. "again" and "home" lead to the first page. "teacher" also leads to the
    first page, with a less prominent button: a teacher has to solve the problem.
    """

    title: LazyString
    text: LazyString
    action: Literal["login", "again", "home", "teacher"] = "home"


CHILD_MESSAGES = {
    "login_failed": ChildMessage(
        _("You are not logged in"), _("Something went wrong. Try again."), "login"
    ),
    "login_cancelled": ChildMessage(
        _("You did not log in"), _("You stopped at Clever. You can try again."), "login"
    ),
    "login_expired": ChildMessage(
        _("Please log in again"), _("We lost your place. Try again."), "login"
    ),
    "cookies_blocked": ChildMessage(
        _("This browser forgets you"),
        _("So we cannot let you in. Ask your teacher for help."),
        "teacher",
    ),
    "code_used": ChildMessage(
        _("Please log in again"), _("That link worked once. It does not work twice."), "login"
    ),
    "bad_callback": ChildMessage(
        _("This link does not work"), _("Go to the first page and log in there.")
    ),
    "login_refused": ChildMessage(
        _("You cannot use this app yet"),
        _("Clever did not let you in. Tell your teacher."),
        "teacher",
    ),
    "not_a_person": ChildMessage(
        _("We cannot let you in"),
        _("This is not a person's account. Tell your teacher."),
        "teacher",
    ),
    "account_refused": ChildMessage(
        _("You cannot use this app yet"), _("Tell your teacher."), "teacher"
    ),
    "claim_useless": ChildMessage(
        _("This link does not work any more"), _("Ask your teacher for a new one."), "teacher"
    ),
    "district_not_allowed": ChildMessage(
        _("Your school does not use this app yet"), _("Tell your teacher."), "teacher"
    ),
    "too_busy": ChildMessage(
        _("Many people are logging in"), _("Wait a minute. Then try again."), "login"
    ),
    "crowded": ChildMessage(
        _("Many people are logging in"), _("Wait a minute. Then try again."), "login"
    ),
    "clever_misconfigured": ChildMessage(
        _("Logging in does not work yet"),
        _("It is not your fault. Tell your teacher."),
        "teacher",
    ),
    "clever_unavailable": ChildMessage(
        _("Clever is not answering"), _("Wait a minute. Then try again."), "login"
    ),
    "clever_unexpected": ChildMessage(
        _("Something went wrong"), _("Clever sent us something strange. Try again."), "login"
    ),
    "wrong_person": ChildMessage(
        _("We are not sure who you are"), _("So we did not log you in. Try again."), "login"
    ),
    "wrong_host": ChildMessage(_("This app is somewhere else"), _("The button takes you there.")),
    "store_unavailable": ChildMessage(
        _("We need a short break"), _("Wait a minute. Then try again."), "again"
    ),
    "database_unavailable": ChildMessage(
        _("We need a short break"), _("Wait a minute. Then try again."), "again"
    ),
    "form_expired": ChildMessage(
        _("Please try again"), _("That page was too old. The button takes you back.")
    ),
    "http_400": ChildMessage(
        _("This link does not work"), _("Something in it is wrong. The button takes you back.")
    ),
    "http_401": ChildMessage(
        _("Please log in"), _("You were away for a while. Log in again."), "login"
    ),
    "http_403": ChildMessage(_("This page is not for you"), _("The button takes you back.")),
    "http_404": ChildMessage(_("This page is not here"), _("The button takes you back.")),
    "http_405": ChildMessage(
        _("This page does not work that way"), _("The button takes you back.")
    ),
    "http_413": ChildMessage(_("That is too much"), _("What you sent is too big. Send less.")),
    "http_500": ChildMessage(
        _("Something went wrong"), _("It is our fault, not yours. Try again."), "again"
    ),
}

FIXED_BY_USER = _("You can, at this computer.")
FIXED_BY_DEVICE_ADMIN = _("The person who manages this computer.")
FIXED_BY_CLEVER_ADMIN = _("Your district's Clever administrator.")
FIXED_BY_CLEVER = _("Clever. Nobody at your school has to do anything.")
FIXED_BY_OPERATOR = _("The people who run this app. Tell them the code and the reference.")


@dataclass(frozen=True)
class AdultMessage:
    """The cause, what to check, and who can fix it, in terms that administrators know."""

    cause: LazyString
    check: LazyString
    who: LazyString


ADULT_MESSAGES = {
    "login_failed": AdultMessage(
        _("The login failed for an unknown reason."),
        _("Try once more. If it fails again, report the reference."),
        FIXED_BY_OPERATOR,
    ),
    "login_cancelled": AdultMessage(
        _("Clever reported that the person cancelled the login."),
        _("Log in again, and agree when Clever asks."),
        FIXED_BY_USER,
    ),
    "login_expired": AdultMessage(
        _("The login was started in another browser, or too long ago."),
        _(
            "Start at the first page or in the Clever Portal. If you use a bookmark, it must "
            "lead to one of them."
        ),
        FIXED_BY_USER,
    ),
    "cookies_blocked": AdultMessage(
        _("The browser did not send back this app's cookies. Most often, cookies are blocked."),
        _("Allow cookies for this site, in the browser and in the rules for managed devices."),
        FIXED_BY_DEVICE_ADMIN,
    ),
    "code_used": AdultMessage(
        _("The login code from Clever was already used, or is older than a minute."),
        _("Log in again. If this happens every time, a web filter may be opening the links first."),
        FIXED_BY_USER,
    ),
    "bad_callback": AdultMessage(
        _("The link was not one that Clever sends."),
        _(
            "Start at the first page or in the Clever Portal. If you use a bookmark, it must "
            "lead to one of them."
        ),
        FIXED_BY_USER,
    ),
    "login_refused": AdultMessage(
        _("Clever refused the login. Most often the app is not shared with this person."),
        _(
            "In Clever's dashboard, check that the app is shared with this person's school and "
            "role, and that its launch date has come."
        ),
        FIXED_BY_CLEVER_ADMIN,
    ),
    "not_a_person": AdultMessage(
        _("The account at Clever belongs to a district, not to a student or a staff member."),
        _("Log in with a person's account."),
        FIXED_BY_USER,
    ),
    "account_refused": AdultMessage(
        _("This app refused the account. The people who run the app decide who may use it."),
        _("Ask them whether this person should have access."),
        FIXED_BY_OPERATOR,
    ),
    "claim_useless": AdultMessage(
        _("A link to an account from before Clever works only once, and expires after a while."),
        _("Check that the whole link was copied. If it was, ask for a new link."),
        FIXED_BY_OPERATOR,
    ),
    "district_not_allowed": AdultMessage(
        _("This app is not set up for this person's district."),
        _("Ask to have the district's id added to CLEVER_DISTRICT_IDS."),
        FIXED_BY_OPERATOR,
    ),
    "too_busy": AdultMessage(
        _("Clever is answering slowly, and too many logins are already waiting."),
        _("Have a few people at a time try again. Check status.clever.com."),
        FIXED_BY_CLEVER,
    ),
    "crowded": AdultMessage(
        _("More people are using the app right now than it can handle."),
        _(
            "Have a few people at a time try again. If this happens often, the app needs more "
            "workers."
        ),
        FIXED_BY_OPERATOR,
    ),
    "clever_misconfigured": AdultMessage(
        _("Clever does not accept this app's credentials or redirect URI."),
        _(
            "Compare the app's settings with Clever's dashboard. The doctor command does this "
            "(see README)."
        ),
        FIXED_BY_OPERATOR,
    ),
    "clever_unavailable": AdultMessage(
        _("Clever did not answer, limited this app's requests, or reported a temporary error."),
        _(
            "Check status.clever.com. If it reports no problem, test the connection to Clever "
            "with the doctor command (see README)."
        ),
        FIXED_BY_CLEVER,
    ),
    "clever_unexpected": AdultMessage(
        _("Clever's response did not match its documentation, or this app's clock is wrong."),
        _(
            "Try once more. If it fails again, run the doctor command, which tests Clever and "
            "compares the clocks (see README)."
        ),
        FIXED_BY_OPERATOR,
    ),
    "wrong_person": AdultMessage(
        _("Clever's records named two different people for one login."),
        _(
            "Log out of Clever and log in again. If this happens again, ask Clever about this "
            "person."
        ),
        FIXED_BY_CLEVER_ADMIN,
    ),
    "wrong_host": AdultMessage(
        _("This address is not the app's address in APP_URL."),
        _("Set APP_URL to the address that people use."),
        FIXED_BY_OPERATOR,
    ),
    "store_unavailable": AdultMessage(
        _("The app's session store does not answer."),
        _("Wait a few minutes. If the problem continues, open /readyz to see the cause."),
        FIXED_BY_OPERATOR,
    ),
    "database_unavailable": AdultMessage(
        _("The app's database does not answer, or needs an upgrade."),
        _("Wait a few minutes. If the problem continues, open /readyz to see the cause."),
        FIXED_BY_OPERATOR,
    ),
    "form_expired": AdultMessage(
        _("The page was open for too long, or somebody else has logged in since."),
        _("Open the page again, check who is logged in, and send the form again."),
        FIXED_BY_USER,
    ),
    "in_a_frame": AdultMessage(
        _(
            "The app was opened inside another site's page. Browsers block its cookies there, "
            "so nobody could log in."
        ),
        _("Link to the app, or use the Clever Portal. Do not embed it."),
        _("The people who made the page around this one."),
    ),
    "http_400": AdultMessage(
        _("The app did not understand the request."),
        _("Check that the whole link was copied."),
        FIXED_BY_USER,
    ),
    "http_401": AdultMessage(
        _("Nobody is logged in, or the session has ended. What was sent was not saved."),
        _("Log in, and send it again."),
        FIXED_BY_USER,
    ),
    "http_403": AdultMessage(
        _("The current role may not open this page, or the form came from another site."),
        _("A person with several roles can switch to another role. Roles come from Clever."),
        FIXED_BY_CLEVER_ADMIN,
    ),
    "http_404": AdultMessage(
        _("There is no page at this address, or this person may not see it."),
        _("Check the address. Only people in a class or school can see its page."),
        FIXED_BY_USER,
    ),
    "http_405": AdultMessage(
        _("This address does not accept this kind of request."),
        _("Start at the first page."),
        FIXED_BY_USER,
    ),
    "http_413": AdultMessage(
        _("The request was larger than this app accepts."),
        _("Send a shorter text or a smaller file."),
        FIXED_BY_USER,
    ),
    "http_500": AdultMessage(
        _("An error in the app stopped the request."),
        _("Try once more. If it fails again, look for the reference in the app's log."),
        FIXED_BY_OPERATOR,
    ),
}
