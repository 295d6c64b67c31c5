"""Authorization codes, the access tokens they are exchanged for, and district tokens."""

import secrets
import threading
from dataclasses import dataclass, field

from clever_simulator.config import RegisteredApp
from clever_simulator.credentials.clock import Clock
from clever_simulator.directory.models import District, Person, Role

CODE_LIFETIME_SECONDS = 60
TOKEN_LIFETIME_SECONDS = 24 * 60 * 60
CALLS_PER_MINUTE = 1200


@dataclass(frozen=True, kw_only=True)
class Login:
    """One person logged in to one app in one role. `nonce` is the value that the app sent."""

    app: RegisteredApp
    person: Person
    role: Role
    nonce: str | None = None


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token: a user's if it has a login, a district's otherwise."""

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


class CodeRefused(Exception):
    """A code is unknown, used, or expired. `mismatch`: it is another app's or redirect URI's."""

    def __init__(self, *, mismatch: bool = False) -> None:
        super().__init__("a code is refused")
        self.mismatch = mismatch


class TokenStore:
    """Every valid code and token. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Invalidates every code and every token."""
        with self._lock:
            self._codes: dict[str, _AuthorizationCode] = {}
            self._token_by_code: dict[str, str] = {}
            self._tokens: dict[str, Token] = {}
            self._district_tokens: dict[tuple[str, str], Token] = {}
            self._calls: dict[str, int] = {}
            self._minute = 0

    def issue_code(self, login: Login, redirect_uri: str) -> str:
        """Returns a new code of 40 hexadecimal digits, valid for this app and redirect URI only."""
        code, expires = secrets.token_hex(20), self._clock.now() + CODE_LIFETIME_SECONDS
        with self._lock:
            self._codes[code] = _AuthorizationCode(
                login=login, redirect_uri=redirect_uri, expires=expires
            )
        return code

    def redeem(self, code: str, app: RegisteredApp, redirect_uri: str) -> Token:
        """Returns the token for a code. Raises CodeRefused.

        Any attempt uses up the code, even a wrong one, unless a switch of the app says otherwise.
        """
        with self._lock:
            issued = self._codes.pop(code, None)
            if issued is None or issued.expires < self._clock.now():
                if app.used_code == "token_revoked":
                    self._tokens.pop(self._token_by_code.pop(code, ""), None)
                raise CodeRefused
            if (issued.login.app.client_id, issued.redirect_uri) != (app.client_id, redirect_uri):
                if issued.login.app.wrong_redirect_uri == "code_kept":
                    self._codes[code] = issued
                raise CodeRefused(mismatch=True)
            value, district = "il" + secrets.token_hex(20), issued.login.person.district
            self._token_by_code[code] = value
            return self._add_token(value, app.for_district(district.shortname), district, issued)

    def district_token(self, app: RegisteredApp, district: District) -> Token:
        """Returns the token with which an app reads a district. It is the same until `clear`."""
        with self._lock:
            key = (app.client_id, district.id)
            if key not in self._district_tokens:
                self._district_tokens[key] = self._add_token(
                    secrets.token_hex(20), app, district, None
                )
            return self._district_tokens[key]

    def find(self, value: str) -> Token | None:
        """Returns the token with this value, or None if it is unknown or expired."""
        with self._lock:
            token = self._tokens.get(value)
        return token if token and token.expires > self._clock.now() else None

    def revoke(self, district: District) -> None:
        """Revokes a district's tokens and its users' tokens, except those of Library apps."""
        with self._lock:
            self._tokens = {
                value: token
                for value, token in self._tokens.items()
                if token.district != district or token.app.survives_leaving
            }
            for key in [key for key in self._district_tokens if key[1] == district.id]:
                del self._district_tokens[key]

    def calls_left(self, value: str) -> tuple[int, int]:
        """Counts a call to the rate limit.

        Returns the calls left in this minute (negative: over the limit) and the minute's end in
        seconds since 1970.
        """
        minute = int(self._clock.now() // 60)
        with self._lock:
            if minute != self._minute:
                self._calls, self._minute = {}, minute
            used = self._calls[value] = self._calls.get(value, 0) + 1
        return CALLS_PER_MINUTE - used, (minute + 1) * 60

    def _add_token(
        self, value: str, app: RegisteredApp, district: District, code: _AuthorizationCode | None
    ) -> Token:
        # Only a user's token expires. An app may keep a district token indefinitely.
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
