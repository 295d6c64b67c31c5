"""Every failure for the adult who helps, by its stable code: the cause, what to check, and who."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

HERE = _("You can, at this computer.")
DEVICES = _("Whoever looks after this computer.")
CLEVER_ADMIN = _("Your district's Clever administrator.")
CLEVER = _("Clever. Nobody at your school has to do anything.")
OPERATOR = _("Whoever runs this app. Tell them the code and the reference.")


@dataclass(frozen=True)
class Cause:
    """What an adult reads, in an administrator's words."""

    cause: LazyString
    check: LazyString
    who: LazyString


CAUSES = {
    "login_failed": Cause(
        _("The login failed for a reason that has no page of its own."),
        _("Try once more. If it fails again, pass the reference on."),
        OPERATOR,
    ),
    "login_cancelled": Cause(
        _("Clever reported that the person cancelled the login."),
        _("Log in again, and agree when Clever asks."),
        HERE,
    ),
    "login_expired": Cause(
        _("The login was started in another browser, or too long ago."),
        _("Begin at the first page or in the Clever Portal. A bookmark should lead there, too."),
        HERE,
    ),
    "cookies_blocked": Cause(
        _("The browser sent nothing back that we gave it. Most often cookies are blocked."),
        _("Allow cookies for this site, in the browser and in the rules for managed devices."),
        DEVICES,
    ),
    "code_used": Cause(
        _("What Clever sent for this login was used before, or is older than a minute."),
        _("Log in again. If it happens each time, a filter may open links before people do."),
        HERE,
    ),
    "bad_callback": Cause(
        _("The address was not one that Clever sends a browser to."),
        _("Begin at the first page or in the Clever Portal. A bookmark should lead there, too."),
        HERE,
    ),
    "login_refused": Cause(
        _("Clever refused the login. Most often the app is not shared with this person."),
        _(
            "In Clever's dashboard, see whether the app is shared with this person's school and "
            "role, and whether its launch date has come."
        ),
        CLEVER_ADMIN,
    ),
    "not_a_person": Cause(
        _("Clever named a district, not a student or a member of staff."),
        _("Log in with a person's account."),
        HERE,
    ),
    "account_refused": Cause(
        _("This app turned the account away. Whoever runs it decides who may use it."),
        _("Ask them whether this person should be let in."),
        OPERATOR,
    ),
    "claim_useless": Cause(
        _("Links to accounts from before Clever work once, and are out of date after a while."),
        _("See whether the whole link was copied. If so, ask for another."),
        OPERATOR,
    ),
    "district_not_allowed": Cause(
        _("The person's district is not among those that this app was set up for."),
        _("Ask for the district's id to be put into CLEVER_DISTRICT_IDS."),
        OPERATOR,
    ),
    "too_busy": Cause(
        _("Clever answers slowly, and too many logins are waiting for it already."),
        _("Let a few people at a time try again. See status.clever.com."),
        CLEVER,
    ),
    "crowded": Cause(
        _("More people come at this moment than the app can answer."),
        _("Let a few people at a time try again. If it happens often, the app needs more workers."),
        OPERATOR,
    ),
    "clever_misconfigured": Cause(
        _("Clever does not accept this app's credentials or redirect URI."),
        _("Compare the app's settings with Clever's dashboard: the doctor does it (see README)."),
        OPERATOR,
    ),
    "clever_unavailable": Cause(
        _("Clever did not answer, asked us to slow down, or said that it cannot now."),
        _(
            "See status.clever.com. If all is well there, the doctor tries our way to Clever "
            "(see README)."
        ),
        CLEVER,
    ),
    "clever_unexpected": Cause(
        _("Clever's answer was not what its documentation describes, or our clock is wrong."),
        _("Try once more. Then the doctor asks Clever, and compares the clocks (see README)."),
        OPERATOR,
    ),
    "wrong_person": Cause(
        _("Clever's records named two different people for one login."),
        _("Log out of Clever and in again. If it stays so, ask Clever about this person."),
        CLEVER_ADMIN,
    ),
    "wrong_host": Cause(
        _("This address is not the one that the app was given in APP_URL."),
        _("APP_URL has to be the address that people use."),
        OPERATOR,
    ),
    "store_unavailable": Cause(
        _("The app's session store does not answer."),
        _("Wait. If it lasts, /readyz says what is wrong."),
        OPERATOR,
    ),
    "database_unavailable": Cause(
        _("The app's database does not answer, or waits for an upgrade."),
        _("Wait. If it lasts, /readyz says what is wrong."),
        OPERATOR,
    ),
    "form_expired": Cause(
        _("The page was open for too long, or somebody else has logged in since."),
        _("Open the page again, see whose it is, and send the form once more."),
        HERE,
    ),
    "in_a_frame": Cause(
        _("Inside another site's page browsers keep no cookies for an app: nobody could log in."),
        _("Link to the app, or use the Clever Portal. Do not embed it."),
        _("Whoever made the page around this one."),
    ),
    "http_400": Cause(
        _("The request was not one that this app can answer."),
        _("See whether the whole link was copied."),
        HERE,
    ),
    "http_401": Cause(
        _("The session had ended, so what was sent is not kept."),
        _("Log in, and send it once more."),
        HERE,
    ),
    "http_403": Cause(
        _("The current role may not open this page, or the form came from another site."),
        _("Who has several roles can change to another. Roles come from Clever."),
        CLEVER_ADMIN,
    ),
    "http_404": Cause(
        _("There is no page at this address, or it is not this person's."),
        _("Compare the address. Classes and schools are shown to the people in them alone."),
        HERE,
    ),
    "http_405": Cause(
        _("The address does not take this kind of request."),
        _("Begin at the first page."),
        HERE,
    ),
    "http_413": Cause(
        _("The request was larger than any of ours."),
        _("Write a shorter text, and send it once more."),
        HERE,
    ),
    "http_500": Cause(
        _("The app failed."),
        _("Try once more. The reference leads to the line in the log."),
        OPERATOR,
    ),
}
