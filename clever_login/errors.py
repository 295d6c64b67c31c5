"""Every way in which a login or a call fails, classified by what the user can do next.

Each class has an HTTP status and a stable code that operators can search for. The texts shown to
users are in `web.messages.error_messages`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import ClassVar


class LoginError(Exception):
    """A login failed. The code selects the error page; the message goes only to the log."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "login_failed"


class LoginCancelled(LoginError):
    """The user refused access at Clever (`error=access_denied`)."""

    code = "login_cancelled"


class LoginExpired(LoginError):
    """This browser has no pending login with this state: it is too old, forged, or another's."""

    code = "login_expired"


class CookiesBlocked(LoginExpired):
    """The user came from Clever without any cookie: this browser does not store cookies."""

    code = "cookies_blocked"


class CodeUsed(LoginError):
    """Clever no longer accepts the authorization code: it was used, or is older than a minute."""

    code = "code_used"


class CodeAlreadySeen(CodeUsed):
    """This app exchanged, refused, or dropped the authorization code in the last two minutes."""


class BadCallback(LoginError):
    """The callback was not a browser returning from Clever, or has bad or repeated parameters."""

    code = "bad_callback"


class LoginRefused(LoginError):
    """Clever refused: the app is not shared with this user, or the token is not accepted."""

    status = 403
    code = "login_refused"


class NotAPerson(LoginError):
    """`/me` describes something that cannot use a page, such as a whole district."""

    status = 403
    code = "not_a_person"


class AccountRefused(LoginError):
    """The app refused the user, who sees the message unchanged, or our own without one."""

    status = 403
    code = "account_refused"

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class ClaimLinkInvalid(LoginError):
    """A link that claims an existing account is invalid, used, too old, or of another district."""

    status = 410
    code = "claim_useless"


class DistrictNotAllowed(LoginError):
    """The user's district is not in CLEVER_DISTRICT_IDS, or the user has no district."""

    status = 403
    code = "district_not_allowed"


class CleverMisconfigured(LoginError):
    """Clever rejects this app's credentials or redirect URI.

    An operator must fix the configuration.
    """

    status = 502
    code = "clever_misconfigured"


class VersionMissing(CleverMisconfigured):
    """Clever has not given this app the version of its API in CLEVER_API_VERSION."""


class CleverUnavailable(LoginError):
    """Clever did not answer in time, or answered with a temporary error (429, 5xx)."""

    status = 503
    code = "clever_unavailable"


class CleverConnectionLost(CleverUnavailable):
    """Clever may have received the request, but the response was lost. A code may now be used."""


class CleverUnreachable(CleverUnavailable):
    """No connection could be made, so nothing was sent."""


class KeysUnusable(CleverUnavailable):
    """Clever's discovery document or key set is not one that the app may use.

    ID tokens cannot be checked. The message says what is wrong, for an operator.
    """


class TooBusy(CleverUnavailable):
    """Too many logins are waiting for Clever.

    Further ones would leave no thread for other requests.
    """

    code = "too_busy"


class Overloaded(LoginError):
    """More requests arrive than this process can answer, so it starts no new logins."""

    status = 503
    code = "crowded"


class CleverUnexpected(LoginError):
    """Clever broke its contract: no JSON, the wrong shape, or another user's record."""

    status = 502
    code = "clever_unexpected"


class QueryRefused(CleverUnexpected):
    """Clever does not accept the parameters of a request (400), such as a cursor."""


class NotJson(CleverUnexpected):
    """The response is not JSON: it was truncated, or a proxy answered instead of Clever."""


class NoUsableId(CleverUnexpected):
    """A record has no valid id. The caller skips it and reads the others."""


class WrongPerson(CleverUnexpected):
    """A user record names a different id or district than `/me` did."""

    code = "wrong_person"


class WrongHost(Exception):
    """The request's host is not the host of APP_URL."""


class NotShared(Exception):
    """Clever refused one record (403, 404). The login continues without it."""


class StoreUnavailable(Exception):
    """The session store did not answer, so nobody can be identified."""


class DatabaseUnavailable(Exception):
    """The accounts database did not answer, or its schema does not match this code."""


class RosterError(Exception):
    """A district's records cannot be read. The message is a sentence for an operator."""


class DistrictDisconnected(RosterError):
    """Clever has no token for this district, or rejects it: the district has left the app."""


class NoSecureSync(RosterError):
    """The token can read only `/districts`: the app does not have Secure Sync in this district."""


class CursorTooOld(RosterError):
    """Events after this cursor may be lost: Clever keeps 30 days. Read the whole roster again."""


class EventsNotEnabled(RosterError):
    """Clever shows this app no events. They must be enabled in Clever's dashboard."""


class CleverKeepsFailing(RosterError):
    """Clever failed for several districts in a row, so the sync left the others alone."""


class ReceiverFailed(RosterError):
    """A signal receiver of the product raised `error`, so the transaction must be rolled back.

    The message names the receiver and the class of the error. It never contains the error's own
    message, which may quote a child's data.
    """

    def __init__(self, receiver: str, error: Exception) -> None:
        super().__init__(f"receiver {receiver}: {type(error).__name__}")
        self.error = error


def describe_for_operator(error: Exception) -> str:
    """Describe an error for an operator in one or two sentences, with what to do about it."""
    if isinstance(error, RosterError):
        return str(error)
    if isinstance(error, VersionMissing):
        return f"{error}."
    if isinstance(error, CleverMisconfigured):
        return f"{error}. Check CLEVER_CLIENT_ID and CLEVER_CLIENT_SECRET."
    if isinstance(error, CleverUnavailable):
        return f"Clever is temporarily unavailable: {error}. Try again in a few minutes."
    if isinstance(error, NotJson):
        return (
            f"{error}. Try again later. If it happens again, check for a proxy between this "
            "machine and Clever."
        )
    return f"{error}."


# Optional features, with the packages that each needs: pip install "clever-login[redis]".
EXTRAS = {"rosters": ("sqlalchemy", "alembic", "psycopg"), "redis": ("redis",)}


class ExtraMissing(ImportError):
    """The packages of an optional feature are not installed. The message says how to do that."""


def missing_extra(extra: str, feature: str) -> str:
    """Return what to install for a feature, such as REDIS_URL, or "" if nothing is missing."""
    missing = [name for name in EXTRAS[extra] if find_spec(name) is None]
    if not missing:
        return ""
    return (
        f"{feature} needs packages that are not installed ({', '.join(missing)}). "
        f'Run: pip install "clever-login[{extra}]"'
    )


def require_extra(extra: str, feature: str) -> None:
    """Raise ExtraMissing if packages are missing that a feature needs."""
    if sentence := missing_extra(extra, feature):
        raise ExtraMissing(sentence)
