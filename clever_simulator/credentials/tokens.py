"""Authorization codes, the tokens they are exchanged for, and the tokens of whole districts."""

import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from clever_simulator.config import RegisteredApp, Tier
from clever_simulator.directory.models import District, Person, Role

CODE_LIFETIME_SECONDS = 60
TOKEN_LIFETIME_SECONDS = 24 * 60 * 60
CALLS_PER_MINUTE = 1200

_SCOPES_BY_TIER: dict[Tier, str] = {
    "secure_sync": "read:district_admins read:districts read:resources read:school_admins"
    " read:schools read:sections read:student_contacts read:students read:teachers read:user_id",
    "sso": "read:district_admins_basic read:school_admins_basic read:students_basic"
    " read:teachers_basic read:user_id",
    "library": "read:sections read:students read:teachers read:user_id",
}


def scopes_for_tier(tier: Tier) -> list[str]:
    """The scopes that Clever gives to every app of a tier; nobody asks for them."""
    return _SCOPES_BY_TIER[tier].split()


def format_timestamp(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, with milliseconds."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


class Clock:
    """The time in seconds since 1970, which a test may put forward."""

    def __init__(self) -> None:
        self.restore()

    def restore(self) -> None:
        """The time that it really is."""
        self._ahead = 0.0
        self._skipped = 0.0

    def now(self) -> float:
        """Seconds since 1970 as this simulator sees them."""
        return time.time() + self._ahead

    def text(self) -> str:
        """The time now, as records have it."""
        return format_timestamp(self.now())

    def advance(self, seconds: float) -> None:
        """Makes codes, tokens and rate limits that much older, without waiting."""
        self._ahead += seconds

    def skip(self, seconds: float) -> None:
        """The same for a part of a school year, which passes at Clever only."""
        self._ahead += seconds
        self._skipped += seconds

    def outside(self) -> float:
        """The time without what was skipped: an app goes by its own clock and would refuse it."""
        return self.now() - self._skipped


@dataclass(frozen=True, kw_only=True)
class Login:
    """One person logged in to one app, in one of their roles; `nonce` is what the app sent."""

    app: RegisteredApp
    person: Person
    role: Role
    nonce: str | None = None


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token; one with a login is a person's, one without is a district's."""

    value: str = field(repr=False)
    id: str
    app: RegisteredApp
    district: District
    expires: float
    login: Login | None = None


@dataclass(frozen=True, kw_only=True)
class _AuthorizationCode:
    login: Login
    redirect_uri: str
    expires: float


class TokenStore:
    """Every code and token that is in force; safe to use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Makes every code and every token invalid at once."""
        with self._lock:
            self._codes: dict[str, _AuthorizationCode] = {}
            self._tokens: dict[str, Token] = {}
            self._district_tokens: dict[tuple[str, str], Token] = {}
            self._calls: dict[str, int] = {}
            self._minute = 0

    def issue_code(self, login: Login, redirect_uri: str) -> str:
        """A new code of 40 hexadecimal digits for this app and this redirect URI only."""
        code, expires = secrets.token_hex(20), self._clock.now() + CODE_LIFETIME_SECONDS
        with self._lock:
            self._codes[code] = _AuthorizationCode(
                login=login, redirect_uri=redirect_uri, expires=expires
            )
        return code

    def redeem(self, code: str, app: RegisteredApp, redirect_uri: str) -> Token | None:
        """The token for a code, or None; any attempt spends the code, a wrong one too."""
        with self._lock:
            found = self._codes.pop(code, None)
            if found is None or found.expires < self._clock.now():
                return None
            if (found.login.app.client_id, found.redirect_uri) != (app.client_id, redirect_uri):
                return None
            value, district = "il" + secrets.token_hex(20), found.login.person.district
            return self._keep(value, app.seen_from(district.shortname), district, found)

    def district_token(self, app: RegisteredApp, district: District) -> Token:
        """The token with which an app reads a district: the same one until all is forgotten."""
        with self._lock:
            key = (app.client_id, district.id)
            if key not in self._district_tokens:
                self._district_tokens[key] = self._keep(secrets.token_hex(20), app, district, None)
            return self._district_tokens[key]

    def find(self, value: str) -> Token | None:
        """The token with this value, unless it is unknown or a day old."""
        with self._lock:
            token = self._tokens.get(value)
        return token if token and token.expires > self._clock.now() else None

    def revoke(self, district: District) -> None:
        """Ends what a district has allowed: its own tokens and those of its people."""
        with self._lock:
            self._tokens = {
                value: one
                for value, one in self._tokens.items()
                if one.district != district or one.app.tier == "library"
            }
            for key in [key for key in self._district_tokens if key[1] == district.id]:
                del self._district_tokens[key]

    def calls_left(self, value: str) -> tuple[int, int]:
        """Counts a call; how many are left in this minute (below 0: too many) and its end."""
        minute = int(self._clock.now() // 60)
        with self._lock:
            if minute != self._minute:
                self._calls, self._minute = {}, minute
            used = self._calls[value] = self._calls.get(value, 0) + 1
        return CALLS_PER_MINUTE - used, (minute + 1) * 60

    def _keep(
        self, value: str, app: RegisteredApp, district: District, code: _AuthorizationCode | None
    ) -> Token:
        # Only a person's token grows old: an app keeps that of a district for as long as it likes.
        token = Token(
            value=value,
            id=secrets.token_hex(12),
            app=app,
            district=district,
            expires=self._clock.now() + TOKEN_LIFETIME_SECONDS if code else float("inf"),
            login=code.login if code else None,
        )
        self._tokens[value] = token
        return token
