"""Logins that have left for Clever and are not back yet: one signed cookie each, nothing stored.

The state is 256 random bits; the cookie that waits for it is named by its hash, so that tabs do
not overwrite one another, and it is what binds the state to this browser. Only its use is kept on
the server, so that a state is spent once (RFC 9700, section 4.7).
"""

from __future__ import annotations

import hashlib
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
REPEAT_WAIT_SECONDS = 2  # a second callback waits so long for the first
COOKIE_MAX_AGE_SECONDS = (
    12 * 60 * 60
)  # longer, so that a login page left open all morning can be restarted
SPENT_SECONDS = (
    VALIDITY_SECONDS + 2 * MAX_CLOCK_DIFFERENCE_SECONDS
)  # after that its cookie starts a new login
DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}")
MAX_WAITING_REPEATS = 3  # second callbacks a process: each holds a thread
MAX_PENDING_LOGINS = 10
MAX_COOKIE_BYTES = 4000  # of all these cookies
MAX_COOKIES_DROPPED = 20  # at a time: more than ten were not set by us
_waiting_slots = BoundedSemaphore(MAX_WAITING_REPEATS)


@dataclass(frozen=True)
class PendingLogin:
    """What this browser was doing when it left for Clever."""

    district_id: str | None = None
    next: str | None = None
    restarts: int = 0  # how often this login was begun anew without the person's doing
    impersonation_claimed: bool = False  # by the callback that this login restarts
    # Seconds since it left, set when it is found; negative if another machine's clock is ahead.
    age: float = 0.0

    @property
    def expired(self) -> bool:
        """Whether its ten minutes are over, or its machine's clock was too far ahead of ours."""
        return not -MAX_CLOCK_DIFFERENCE_SECONDS <= self.age <= VALIDITY_SECONDS


class _CookieFlags(TypedDict):
    """What every cookie of ours has."""

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
        """Set the cookie that waits for `state`, and drop the oldest of too many."""
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
        """The login that waits for a state in this browser, expired or not."""
        found = self._read(request, self._name(state_digest))
        if found is None or not DIGEST_PATTERN.fullmatch(state_digest):
            return None
        data, age = found
        if not secrets.compare_digest(str(data.get("state", "")), state_digest):
            return None
        return PendingLogin(
            district_id=data.get("district_id"),
            next=data.get("next"),
            restarts=data.get("restarts", 0),
            impersonation_claimed=bool(data.get("impersonation_claimed")),
            age=age,
        )

    def spend(self, state_digest: str, code: str | None) -> bool:
        """Use the state up, before anything is done with it; False if it was used before."""
        return self._store.claim(f"state-{state_digest}", SPENT_SECONDS, _note(code))

    def spent_with(self, state_digest: str, code: str | None) -> bool:
        """Whether the callback that used the state up brought this code."""
        value = self._store.get(f"state-{state_digest}")
        return value is not None and value.startswith(_note(code))

    def ended(self, state_digest: str) -> None:
        """Note that the login with this state is over, well or badly: others wait for that.

        They wait for two seconds in any case, so a store that fails here fails nobody's login.
        """
        with suppress(StoreUnavailable):
            self._store.set(f"ended-{state_digest}", b"", REPEAT_WAIT_SECONDS * 10)

    def wait(self, state_digest: str) -> None:
        """Wait until the login with this state is over, or two seconds; few may wait at once."""
        if not _waiting_slots.acquire(blocking=False):
            return
        try:
            give_up = time.monotonic() + REPEAT_WAIT_SECONDS
            while time.monotonic() < give_up and self._store.get(f"ended-{state_digest}") is None:
                time.sleep(0.05)
        finally:
            _waiting_slots.release()

    def confirm_next(self, response: Response) -> None:
        """Let Clever ask the next student of this browser who they are: its session goes on."""
        response.set_cookie(self._confirm, "1", **self._flags)

    def to_confirm(self, request: Request) -> bool:
        """Whether somebody has logged out of this browser since the last login."""
        return self._confirm in request.cookies

    def confirmed(self, request: Request, response: Response) -> None:
        """Somebody has logged in: nothing is left to confirm."""
        if self.to_confirm(request):
            self._drop(response, self._confirm)

    def forget(self, response: Response, state_digest: str) -> None:
        """Drop the cookie of a login that has come back."""
        self._drop(response, self._name(state_digest))

    def _name(self, state_digest: str) -> str:
        return self._prefix + state_digest[:16]

    def _too_many(self, request: Request) -> list[str]:
        """All but the newest nine that are small enough together: servers bound a header's size."""
        names = [name for name in request.cookies if name.startswith(self._prefix)]
        size, dropped = 0, []
        newest_first = sorted(names, key=lambda name: self._age(request, name))
        for place, name in enumerate(newest_first, start=1):
            size += len(name) + len(request.cookies[name])
            if place >= MAX_PENDING_LOGINS or size > MAX_COOKIE_BYTES:
                dropped.append(name)
        return dropped[:MAX_COOKIES_DROPPED]

    def _read(self, request: Request, name: str) -> tuple[dict[str, Any], float] | None:
        try:  # without max_age, which would refuse a negative age
            value = request.cookies.get(name, "")
            data, signed_at = self._signer.loads(value, return_timestamp=True)
        except BadData:
            return None
        age = time.time() - signed_at.timestamp()
        return (data, age) if isinstance(data, dict) and age <= COOKIE_MAX_AGE_SECONDS else None

    def _age(self, request: Request, name: str) -> float:
        found = self._read(request, name)
        return found[1] if found else float(COOKIE_MAX_AGE_SECONDS)

    def _drop(self, response: Response, name: str) -> None:
        response.delete_cookie(name, **self._flags)


def _note(code: str | None) -> bytes:
    return digest_state(code or "")[:32].encode()


def new_state() -> str:
    """256 bits from the operating system, in characters that need no quoting."""
    return secrets.token_urlsafe(32)


def derive_nonce(state_digest: str) -> str:
    """What binds an id token to the login with this state, and so to this browser."""
    return hashlib.sha256(f"nonce of {state_digest}".encode()).hexdigest()


def digest_state(state: str) -> str:
    """What is kept of a state: whoever reads it cannot come back with it."""
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()


def pending_logins() -> PendingLogins:
    """The pending logins of this app."""
    return cast(PendingLogins, current_app.extensions["clever_login_pending_logins"])
