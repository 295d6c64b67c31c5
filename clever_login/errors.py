"""Every way in which a login or a call fails, cut by what the person can do next.

Each class carries the HTTP status and the stable code that operators search for; the words that
people read are in `error_pages`.
"""

from __future__ import annotations

from typing import ClassVar


class LoginError(Exception):
    """A login that ended; its page is found by the code. The message is for the log alone."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "login_failed"


class LoginCancelled(LoginError):
    """The person said no at Clever (`error=access_denied`)."""

    code = "login_cancelled"


class LoginExpired(LoginError):
    """The state is not one that this browser is waiting for: too old, forged or another's."""

    code = "login_expired"


class CookiesBlocked(LoginExpired):
    """Somebody came straight from Clever with no cookie at all: this browser keeps none."""

    code = "cookies_blocked"


class CodeUsed(LoginError):
    """Clever no longer takes the authorization code: used already, or older than a minute."""

    code = "code_used"


class CodeAlreadySeen(CodeUsed):
    """This app exchanged, refused or dropped the authorization code within the last two minutes."""


class BadCallback(LoginError):
    """The callback was not a browser coming back from Clever: bad or repeated parameters."""

    code = "bad_callback"


class LoginRefused(LoginError):
    """Clever said no: the app is not shared with this person, or the token is not accepted."""

    status = 403
    code = "login_refused"


class NotAPerson(LoginError):
    """`/me` answered for something that cannot use a page, such as a whole district."""

    status = 403
    code = "not_a_person"


class AccountRefused(LoginError):
    """`accounts.find_or_create` says no; its message is shown to the person as it is."""

    status = 403
    code = "account_refused"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ClaimLinkInvalid(LoginError):
    """A link to an account from before Clever is not one of ours, was used, or is too old."""

    status = 410
    code = "claim_useless"


class DistrictNotAllowed(LoginError):
    """The person's district is not in CLEVER_DISTRICT_IDS, or they have none."""

    status = 403
    code = "district_not_allowed"


class CleverMisconfigured(LoginError):
    """Clever does not accept this app's own credentials or redirect URI: an operator's work."""

    status = 502
    code = "clever_misconfigured"


class CleverUnavailable(LoginError):
    """Clever did not answer in time, or answered that it cannot (429, 5xx)."""

    status = 503
    code = "clever_unavailable"


class CleverConnectionLost(CleverUnavailable):
    """The request may have been received, but its answer was lost: a code may be spent by now."""


class CleverUnreachable(CleverUnavailable):
    """No connection could be made: nothing was sent."""


class TooBusy(CleverUnavailable):
    """So many logins wait for Clever already that others would find no thread."""

    code = "too_busy"


class Overloaded(LoginError):
    """More people come than this process can answer, so no further login is begun."""

    status = 503
    code = "crowded"


class CleverUnexpected(LoginError):
    """Clever broke its contract: not JSON, the wrong shape, or someone else's record."""

    status = 502
    code = "clever_unexpected"


class NotJson(CleverUnexpected):
    """The answer is not JSON: it was cut off on its way, or a proxy answered instead of Clever."""


class NoUsableId(CleverUnexpected):
    """A record has no id, or one that no record can have: it is skipped, and the others read."""


class WrongPerson(CleverUnexpected):
    """A user record names another id or district than `/me` did."""

    code = "wrong_person"


class WrongHost(Exception):
    """The request was sent to a host that is not the one of APP_URL."""


class NotShared(Exception):
    """Clever refused one record (403, 404); the login goes on without it."""


class StoreUnavailable(Exception):
    """The session store did not answer: nobody is known, and nobody must be guessed."""


class DatabaseUnavailable(Exception):
    """The database of accounts did not answer, or its tables are not those of this code."""


class RosterError(Exception):
    """A district's records cannot be read; the message is a sentence for an operator."""


class DistrictDisconnected(RosterError):
    """Clever has no token for this district, or takes none any more: it has left the app."""


class NoSecureSync(RosterError):
    """The token reaches `/districts` alone: the app has no Secure Sync in this district."""


class CursorTooOld(RosterError):
    """Events after this cursor may be lost, for Clever keeps 30 days: read the roster anew."""


class EventsNotEnabled(RosterError):
    """Clever shows this app no events, which it has to switch on."""


def describe_for_operator(error: Exception) -> str:
    """What went wrong, for an operator: one sentence, with what to do about it."""
    if isinstance(error, RosterError):
        return str(error)
    if isinstance(error, CleverMisconfigured):
        return f"{error}: look at CLEVER_CLIENT_ID and CLEVER_CLIENT_SECRET."
    if isinstance(error, CleverUnavailable):
        return f"Clever does not answer now: {error}. Try again in a few minutes."
    if isinstance(error, NotJson):
        return f"{error}. Try again later; if it goes on, look for a proxy on the way to Clever."
    return f"{error}."
