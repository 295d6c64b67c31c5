"""The texts of every failure, by its stable code: CHILD_MESSAGES and ADULT_MESSAGES.

A child reads what to do now. A teacher reads what happened, what to do, and who can fix it. A
Clever administrator reads where to look in Clever. Operators find their part in docs/errors.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
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


SHOW_TEACHER = _("Show this to your teacher.")
WAIT = _("Wait a minute. Then try again.")
BUTTON_BACK = _("The button takes you back.")

CHILD_MESSAGES = {
    "login_failed": ChildMessage(
        _("You are not logged in"), _("Something went wrong. Try again."), "login"
    ),
    "login_cancelled": ChildMessage(
        _("You are not logged in"), _("You stopped at Clever. You can try again."), "login"
    ),
    "login_expired": ChildMessage(
        _("Please log in again"), _("Your login did not finish. Try again."), "login"
    ),
    "cookies_blocked": ChildMessage(_("We can't keep you logged in here"), SHOW_TEACHER, "teacher"),
    "code_used": ChildMessage(
        _("Please log in again"), _("That login was already used. Log in again."), "login"
    ),
    "bad_callback": ChildMessage(
        _("This link does not work"), _("Go to the first page and log in there.")
    ),
    "login_refused": ChildMessage(
        _("You can't use this app yet"),
        _("Clever did not let you in. Show this to your teacher."),
        "teacher",
    ),
    "not_a_person": ChildMessage(
        _("You can't log in with this account"), _("Log in with your own school account.")
    ),
    "account_refused": ChildMessage(_("You can't use this app right now"), SHOW_TEACHER, "teacher"),
    "claim_useless": ChildMessage(
        _("This link does not work anymore"), _("Ask your teacher for a new one."), "teacher"
    ),
    "district_not_allowed": ChildMessage(
        _("Your school does not use this app yet"), SHOW_TEACHER, "teacher"
    ),
    "too_busy": ChildMessage(_("Many people are logging in"), WAIT, "login"),
    "crowded": ChildMessage(_("Many people are logging in"), WAIT, "login"),
    "clever_misconfigured": ChildMessage(
        _("You can't log in right now"),
        _("It is not your fault. Show this to your teacher."),
        "teacher",
    ),
    "clever_unavailable": ChildMessage(_("Clever is not working right now"), WAIT, "login"),
    "clever_unexpected": ChildMessage(
        _("Something went wrong"), _("There was a problem with Clever. Try again."), "login"
    ),
    "wrong_person": ChildMessage(
        _("We could not log you in"), _("Log out of Clever. Then try again."), "login"
    ),
    "wrong_host": ChildMessage(
        _("This is an old address"), _("The button takes you to the new one.")
    ),
    "store_unavailable": ChildMessage(_("This app is not working right now"), WAIT, "again"),
    "database_unavailable": ChildMessage(_("This app is not working right now"), WAIT, "again"),
    "form_expired": ChildMessage(
        _("Please try again"), _("That page was too old. The button takes you back.")
    ),
    "read_only": ChildMessage(
        _("You can only look here"), _("To change something, log in again."), "login"
    ),
    "http_400": ChildMessage(_("This link does not work"), _("Part of it is wrong or missing.")),
    "http_401": ChildMessage(
        _("Please log in"), _("You were away for a while. Log in again."), "login"
    ),
    "http_403": ChildMessage(_("You can't open this page"), BUTTON_BACK),
    "http_404": ChildMessage(_("We can't find this page"), BUTTON_BACK),
    "http_405": ChildMessage(_("This page can't do that"), BUTTON_BACK),
    "http_413": ChildMessage(_("That is too big"), _("Send something smaller.")),
    "http_500": ChildMessage(
        _("Something went wrong"), _("It is our fault, not yours. Try again."), "again"
    ),
}


class Helper(Enum):
    """Who can fix a problem. The page adds how to reach the support of the app."""

    USER = _("You can, on this computer.")
    DEVICE_ADMINISTRATOR = _("The person who manages this computer.")
    CLEVER_ADMINISTRATOR = _("Your district's Clever administrator.")
    CLEVER = _("Clever. Nobody at your school has to do anything.")
    SITE_OWNER = _("The people who made the page around this one.")
    SUPPORT = _("The support team of this app. Send them the code and the reference.")


@dataclass(frozen=True)
class AdultMessage:
    """What happened and what to do, for a teacher. No commands, and no names of settings.

    `at_clever` tells the district's Clever administrator where to look in Clever's district
    dashboard. Its steps are those of Clever's help center, "Application sharing permissions".
    """

    cause: LazyString
    action: LazyString
    helper: Helper
    at_clever: LazyString | None = None


SHARING_STEPS = _(
    "In Clever's district dashboard, open Home, then this app, then Shared Data, then Edit "
    "sharing. Check that this person's school and role are shared, and that the app's launch date "
    "has come. Clever may need 24 hours after a change of school or class."
)
START_PAGE = _(
    "Start at the first page of this app or in the Clever Portal. If you use a bookmark, it must "
    "lead to one of them."
)
FEW_AT_A_TIME = _("Let a few students at a time try again.")
LATER = _("Try again in a few minutes. If the problem continues, contact the support team.")
CONTACT_SUPPORT = _("Try once more. If it fails again, contact the support team.")

ADULT_MESSAGES = {
    "login_failed": AdultMessage(
        _("The login failed for a reason that the app does not know."),
        CONTACT_SUPPORT,
        Helper.SUPPORT,
    ),
    "login_cancelled": AdultMessage(
        _("Clever reported that the login was canceled."),
        _("Log in again, and agree when Clever asks."),
        Helper.USER,
    ),
    "login_expired": AdultMessage(
        _("The login was started in another browser, or too long ago."), START_PAGE, Helper.USER
    ),
    "cookies_blocked": AdultMessage(
        _("The browser did not send this app's cookies back. They are probably blocked."),
        _("Allow cookies for this site, in the browser and in the rules for managed devices."),
        Helper.DEVICE_ADMINISTRATOR,
    ),
    "code_used": AdultMessage(
        _("The login from Clever was already used, or is older than a minute."),
        _(
            "Log in again. If this happens every time, a web filter may be opening links before "
            "people do."
        ),
        Helper.USER,
    ),
    "bad_callback": AdultMessage(
        _("Clever does not send links like this one."), START_PAGE, Helper.USER
    ),
    "login_refused": AdultMessage(
        _("Clever refused the login. The app is probably not shared with this person."),
        _("Ask your district's Clever administrator to share this app with this person."),
        Helper.CLEVER_ADMINISTRATOR,
        SHARING_STEPS,
    ),
    "not_a_person": AdultMessage(
        _("This Clever account belongs to a district. It is not a student's or a staff member's."),
        _("Log out of Clever, and log in with a person's account."),
        Helper.USER,
    ),
    "account_refused": AdultMessage(
        _("This app does not let this person in."),
        _("Ask the support team whether this person should have access."),
        Helper.SUPPORT,
    ),
    "claim_useless": AdultMessage(
        _("A link to an older account works only once, and only for a limited time."),
        _("Check that the whole link was copied. If it was, ask the support team for a new one."),
        Helper.SUPPORT,
    ),
    "district_not_allowed": AdultMessage(
        _("This app is not set up for this person's district."),
        _("Ask the support team to set it up for your district."),
        Helper.SUPPORT,
    ),
    "too_busy": AdultMessage(
        _("Clever is slow, and too many logins are waiting for it."),
        FEW_AT_A_TIME,
        Helper.CLEVER,
    ),
    "crowded": AdultMessage(
        _("More people are using the app right now than it can handle."),
        FEW_AT_A_TIME,
        Helper.SUPPORT,
    ),
    "clever_misconfigured": AdultMessage(
        _("Clever does not accept this app, because the app is set up incorrectly."),
        _("Contact the support team. Until they fix it, nobody can log in with Clever."),
        Helper.SUPPORT,
    ),
    "clever_unavailable": AdultMessage(
        _("Clever did not answer, or reported a temporary error."),
        _("Try again in a few minutes. Clever reports its outages on status.clever.com."),
        Helper.CLEVER,
    ),
    "clever_unexpected": AdultMessage(
        _("Clever sent an answer that this app cannot use."), CONTACT_SUPPORT, Helper.SUPPORT
    ),
    "wrong_person": AdultMessage(
        _("Clever's records named two different people for one login."),
        _("Log out of Clever, and log in again. If it happens again, ask Clever's support."),
        Helper.CLEVER_ADMINISTRATOR,
        _(
            "In Clever's district dashboard, search for this person, and check that there is only "
            "one record. Clever's support can merge records."
        ),
    ),
    "wrong_host": AdultMessage(
        _("This is not the app's current address."),
        _("Use the button, and replace your bookmarks and links."),
        Helper.USER,
    ),
    "store_unavailable": AdultMessage(
        _("The app cannot read or save logins at the moment."), LATER, Helper.SUPPORT
    ),
    "database_unavailable": AdultMessage(
        _("The app cannot read or save its data at the moment."), LATER, Helper.SUPPORT
    ),
    "form_expired": AdultMessage(
        _("The page was open for too long, or another person has logged in since."),
        _("Open the page again, check who is logged in, and send the form again."),
        Helper.USER,
    ),
    "in_a_frame": AdultMessage(
        _(
            "The app was opened inside another site's page. Browsers block its cookies there, "
            "so nobody could log in."
        ),
        _("Link to the app, or use the Clever Portal. Do not embed it."),
        Helper.SITE_OWNER,
    ),
    "read_only": AdultMessage(
        _(
            "The link of this login said that an administrator is using Clever's portal as this "
            "person. Such a login can read this person's pages, but change nothing."
        ),
        _("Log in again from the first page of this app or from the Clever Portal."),
        Helper.USER,
    ),
    "http_400": AdultMessage(
        _("The app did not understand the request."),
        _("Check that the whole link was copied."),
        Helper.USER,
    ),
    "http_401": AdultMessage(
        _("Nobody is logged in, or the login has expired. What was sent was not saved."),
        _("Log in, and send it again."),
        Helper.USER,
    ),
    "http_403": AdultMessage(
        _("This person's role cannot open this page, or the form came from another site."),
        _("A person with several roles can switch to another role at the top of the page."),
        Helper.CLEVER_ADMINISTRATOR,
        _(
            "Roles come from your district's student information system. In Clever's district "
            "dashboard, search for this person to see the roles."
        ),
    ),
    "http_404": AdultMessage(
        _("There is no page at this address, or this person may not see it."),
        _("Check the address. Only people in a class or school can see its page."),
        Helper.USER,
    ),
    "http_405": AdultMessage(
        _("This address does not accept this kind of request."),
        _("Start at the first page."),
        Helper.USER,
    ),
    "http_413": AdultMessage(
        _("What was sent is larger than this app accepts."),
        _("Send a shorter text or a smaller file."),
        Helper.USER,
    ),
    "http_500": AdultMessage(
        _("An error in the app stopped the request."), CONTACT_SUPPORT, Helper.SUPPORT
    ),
}
