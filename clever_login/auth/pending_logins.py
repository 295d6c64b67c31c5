"""Logins that are waiting for the callback from Clever, each in one signed cookie.

The state is 256 random bits. The cookie's name contains a hash of the state, so tabs do not
overwrite one another's cookies, and the cookie binds the state to this browser. The server stores
only that a state was used, so that it is used once (RFC 9700, section 4.7).
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from threading import BoundedSemaphore
from typing import Any, TypedDict, cast

from flask import Request, current_app
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug import Response

from clever_login.config import MAX_CLOCK_DIFFERENCE_SECONDS, Settings
from clever_login.errors import StoreUnavailable
from clever_login.storage.base import Store

VALIDITY_SECONDS = 10 * 60
REPEAT_WAIT_SECONDS = 2  # how long a second callback waits for the first
COOKIE_MAX_AGE_SECONDS = (
    12 * 60 * 60
)  # longer, so that a login page left open all morning can be restarted
DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}")
MAX_WAITING_REPEATS = 3  # second callbacks per process; each holds a thread
MAX_PENDING_LOGINS = 10
MAX_COOKIE_BYTES = 4000  # of all these cookies together
# Per response; a browser with more than ten has cookies that this app did not set.
MAX_COOKIES_DROPPED = 20
_waiting_slots = BoundedSemaphore(MAX_WAITING_REPEATS)


@dataclass(frozen=True)
class PendingLogin:
    """A login that this browser started and that has not returned from Clever."""

    district_id: str | None = None
    next: str | None = None
    restarts: int = 0  # how often the app restarted this login
    impersonation_claimed: bool = False  # by the callback that this login restarts
    link: str | None = None  # set to connect an account: the digest of the account
    # Seconds since the login started, set by `find`. Negative if another machine's clock is ahead.
    age: float = 0.0

    @property
    def expired(self) -> bool:
        """Whether ten minutes have passed, or the other machine's clock was too far ahead."""
        return not -MAX_CLOCK_DIFFERENCE_SECONDS <= self.age <= VALIDITY_SECONDS


class _CookieFlags(TypedDict):
    """The attributes of all cookies set here."""

    secure: bool
    httponly: bool
    samesite: str


class PendingLogins:
    """Reads and writes the cookies of pending logins."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._signer = URLSafeTimedSerializer(settings.signing_keys, salt="pending-login")
        self._flags: _CookieFlags = {"secure": settings.https, "httponly": True, "samesite": "Lax"}
        self._prefix = "__Host-login-" if settings.https else "login-"
        self._confirm = "__Host-confirm" if settings.https else "confirm"

    def add(self, request: Request, response: Response, login: PendingLogin, state: str) -> None:
        """Set the cookie for `state`, and delete the oldest cookies if there are too many."""
        for name in self._too_many(request):
            self._drop(response, name)
        value = self._signer.dumps({**asdict(login), "state": digest_state(state)})
        response.set_cookie(
            self._name(digest_state(state)),
            str(value),
            max_age=COOKIE_MAX_AGE_SECONDS,
            **self._flags,
        )

    def find(self, request: Request, state_digest: str) -> PendingLogin | None:
        """Return this browser's pending login for a state, expired or not, or None."""
        content = self._read(request, self._name(state_digest))
        if content is None or not DIGEST_PATTERN.fullmatch(state_digest):
            return None
        data, age = content
        if not secrets.compare_digest(str(data.get("state", "")), state_digest):
            return None
        return PendingLogin(
            district_id=data.get("district_id"),
            next=data.get("next"),
            restarts=data.get("restarts", 0),
            impersonation_claimed=bool(data.get("impersonation_claimed")),
            link=data.get("link"),
            age=age,
        )

    def spend(self, state_digest: str, code: str, age: float) -> bool:
        """Mark the state as used, before anything else. Returns False if it was used before.

        The mark lasts until every machine finds the login of this `age` in seconds expired: from
        then on, its cookie only starts a new login.
        """
        seconds = math.ceil(VALIDITY_SECONDS + MAX_CLOCK_DIFFERENCE_SECONDS - age)
        return self._store.add_if_absent(f"state-{state_digest}", seconds, _note(code))

    def spent_with(self, state_digest: str, code: str | None) -> bool:
        """Whether the callback that used the state had this code."""
        value = self._store.get(f"state-{state_digest}")
        return value is not None and value.startswith(_note(code))

    def ended(self, state_digest: str) -> None:
        """Record that the login with this state has ended, successfully or not, for `wait`.

        A store failure is ignored: waiting requests give up after two seconds anyway.
        """
        with suppress(StoreUnavailable):
            self._store.set(f"ended-{state_digest}", b"", REPEAT_WAIT_SECONDS * 10)

    def wait(self, state_digest: str) -> None:
        """Wait until the login with this state has ended, for two seconds at most.

        Returns at once if MAX_WAITING_REPEATS requests of this process are waiting.
        """
        if not _waiting_slots.acquire(blocking=False):
            return
        try:
            give_up = time.monotonic() + REPEAT_WAIT_SECONDS
            while time.monotonic() < give_up and self._store.get(f"ended-{state_digest}") is None:
                time.sleep(0.05)
        finally:
            _waiting_slots.release()

    def confirm_next(self, response: Response) -> None:
        """Set a cookie that makes the next login ask the student to confirm their identity.

        The session at Clever is still open.
        """
        response.set_cookie(self._confirm, "1", **self._flags)

    def to_confirm(self, request: Request) -> bool:
        """Whether a user has logged out in this browser since the last login."""
        return self._confirm in request.cookies

    def confirmed(self, request: Request, response: Response) -> None:
        """Delete the cookie of `confirm_next` after a login."""
        if self.to_confirm(request):
            self._drop(response, self._confirm)

    def forget(self, response: Response, state_digest: str) -> None:
        """Delete the cookie of a login that has returned."""
        self._drop(response, self._name(state_digest))

    def _name(self, state_digest: str) -> str:
        return self._prefix + state_digest[:16]

    def _too_many(self, request: Request) -> list[str]:
        """Return the cookies to delete: all but the newest nine that fit into MAX_COOKIE_BYTES.

        Servers limit the size of a request's headers.
        """
        names = [name for name in request.cookies if name.startswith(self._prefix)]
        size, dropped = 0, []
        newest_first = sorted(names, key=lambda name: self._age(request, name))
        for place, name in enumerate(newest_first, start=1):
            size += len(name) + len(request.cookies[name])
            if place >= MAX_PENDING_LOGINS or size > MAX_COOKIE_BYTES:
                dropped.append(name)
        return dropped[:MAX_COOKIES_DROPPED]

    def _read(self, request: Request, name: str) -> tuple[dict[str, Any], float] | None:
        try:  # without max_age, which would reject a negative age
            value = request.cookies.get(name, "")
            data, signed_at = self._signer.loads(value, return_timestamp=True)
        except BadData:
            return None
        age = time.time() - signed_at.timestamp()
        return (data, age) if isinstance(data, dict) else None

    def _age(self, request: Request, name: str) -> float:
        content = self._read(request, name)
        return content[1] if content else float(COOKIE_MAX_AGE_SECONDS)

    def _drop(self, response: Response, name: str) -> None:
        response.delete_cookie(name, **self._flags)


def _note(code: str | None) -> bytes:
    return digest_state(code or "")[:32].encode()


def new_state() -> str:
    """Return 256 bits from the operating system, in URL-safe characters."""
    return secrets.token_urlsafe(32)


def derive_nonce(state_digest: str) -> str:
    """Derive the nonce that binds an ID token to the login with this state.

    The state's cookie binds it to this browser, too.
    """
    return hashlib.sha256(f"nonce of {state_digest}".encode()).hexdigest()


def digest_state(state: str) -> str:
    """Return the SHA-256 of a state in hexadecimal, from which the state cannot be recovered."""
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()


def pending_logins() -> PendingLogins:
    """Return the PendingLogins of the current app."""
    return cast(PendingLogins, current_app.extensions["clever_login_pending_logins"])
