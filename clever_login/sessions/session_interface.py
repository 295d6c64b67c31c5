"""Server-side sessions on Flask-Session: encrypted values, hashed ids, no pickle.

A store that is down results in a 503 page instead of a crash.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import Flask, Request, Response
from flask_session.base import ServerSideSession, ServerSideSessionInterface

from clever_login.config import Settings
from clever_login.errors import StoreUnavailable
from clever_login.logs.events import log_event
from clever_login.logs.pseudonyms import NOBODY_PSEUDONYM, PSEUDONYM_LENGTH
from clever_login.storage.base import Store
from clever_login.web import error_pages, fetch_metadata


class SessionOwner(NamedTuple):
    """The pseudonyms in the id and the store key of a user's session, by which it can be ended."""

    district: str = NOBODY_PSEUDONYM
    person: str = NOBODY_PSEUDONYM
    account: str = NOBODY_PSEUDONYM
    row: str = NOBODY_PSEUDONYM  # of `person_id`


OWNED_ID_PATTERN = re.compile(
    rf"([0-9a-f]{{{PSEUDONYM_LENGTH}}})\." * len(SessionOwner._fields) + r"[\w-]+", re.ASCII
)
OWNED_KEY_PATTERN = re.compile(
    "session-" + rf"([0-9a-f]{{{PSEUDONYM_LENGTH}}})-" * len(SessionOwner._fields), re.ASCII
)


class _Sealed(msgspec.Struct, frozen=True):
    """The plaintext that Fernet encrypts: the session's data with the store key it belongs to."""

    store_id: str
    data: dict[str, Any]


class EncryptedSession(ServerSideSession):  # type: ignore[misc] # Flask-Session is untyped
    """A session that records whether it came from the store, and whether the store was down."""

    known_sid: str | None = None
    unavailable: StoreUnavailable | None = None
    when_saved: Callable[[], None] | None = None
    idle_seconds: int = 0  # how long the store keeps it, if that is longer than the setting


class EncryptedSessionInterface(ServerSideSessionInterface):  # type: ignore[misc] # Flask-Session is untyped
    """Keeps sessions in the app's store: MessagePack inside Fernet.

    The store key contains a hash of the session id. The encrypted value contains its own key.
    """

    session_class = EncryptedSession

    def __init__(self, app: Flask, settings: Settings, store: Store) -> None:
        super().__init__(app, key_prefix="session-", permanent=False, sid_length=32)
        self._store = store
        self._fernet = derive_fernet(settings.secrets, "session")
        self._decoder = msgspec.msgpack.Decoder(_Sealed)

    def open_session(self, app: Flask, request: Request) -> EncryptedSession:
        """Return the session of a request.

        If the store is down, it is empty and `unavailable` is set.
        """
        if request.path in fetch_metadata.PROBE_PATHS or request.path.startswith("/static/"):
            return EncryptedSession(sid=self._generate_sid(self.sid_length))
        try:
            session: EncryptedSession = super().open_session(app, request)
        except StoreUnavailable as error:
            session = EncryptedSession(sid=self._generate_sid(self.sid_length))
            session.unavailable = error
        if session.sid == request.cookies.get(app.config["SESSION_COOKIE_NAME"]):
            session.known_sid = session.sid
        return session

    def save_session(self, app: Flask, session: EncryptedSession, response: Response) -> None:
        """Save the session, or replace the response with a 503.

        So no login is half complete.
        """
        if session.unavailable:  # do not overwrite a session that could not be read
            return
        try:
            if session or not session.modified:
                super().save_session(app, session, response)
                if session.when_saved:
                    session.when_saved()
            else:
                self._expire_cookie(app, response)
                self._delete_session(self._get_store_id(session.sid))
        except StoreUnavailable as error:
            error_pages.replace_response(response, error)
            if session.sid != session.known_sid or not session:
                self._expire_cookie(app, response)

    def should_set_cookie(self, app: Flask, session: EncryptedSession) -> bool:  # noqa: ARG002 # Flask passes it
        """Set a cookie only for a new id: a late response must not restore an old id."""
        return bool(session.sid != session.known_sid)

    def regenerate(self, session: EncryptedSession, owner: SessionOwner | None = None) -> None:
        """Give the session a new id, then delete the old one, which may fail.

        `owner` is the logged-in user. Raises StoreUnavailable if the store fails.
        """
        old, session.sid = session.sid, self._generate_sid(self.sid_length)
        if owner:
            session.sid = ".".join((*owner, session.sid))
        session.modified = True
        if old == session.known_sid:  # otherwise it was never in the store
            self._delete_session(self._get_store_id(old))

    def _expire_cookie(self, app: Flask, response: Response) -> None:
        """Expire the session cookie.

        Flask-Session expires it without Secure, and browsers ignore that for a `__Host-` name.
        """
        response.delete_cookie(
            self.get_cookie_name(app),
            secure=self.get_cookie_secure(app),
            httponly=True,
            samesite=self.get_cookie_samesite(app),
        )
        response.vary.add("Cookie")

    def _get_store_id(self, sid: str) -> str:
        """Return the store key: the owner's pseudonyms, by which sessions can be ended, and a hash.

        The key does not reveal the cookie: a session id has 256 random bits.
        """
        match = OWNED_ID_PATTERN.fullmatch(sid)
        owner = SessionOwner(*match.groups()) if match else SessionOwner()
        digest = hashlib.sha256(sid.encode("utf-8", "replace")).hexdigest()
        return f"{self.key_prefix}{'-'.join(owner)}-{digest}"

    def _retrieve_session_data(self, store_id: str) -> dict[str, Any] | None:
        """Return the saved data, or None if there is none that this app wrote.

        A value stored under a different key counts as none: an attacker who can write to the store
        must not be able to copy one user's session over another's.
        """
        sealed = self._store.get(store_id)
        return None if sealed is None else self.unseal(store_id, sealed)

    def unseal(self, store_id: str, sealed: bytes) -> dict[str, Any] | None:
        """Return the data of a stored value, or None if this app did not write it for this key."""
        try:
            content = self._decoder.decode(self._fernet.decrypt(sealed))
        except (InvalidToken, msgspec.DecodeError):
            return None
        if hmac.compare_digest(content.store_id.encode(), store_id.encode()):
            return content.data
        log_event("session_dropped", level=logging.WARNING, reason="another_key")
        return None

    def _delete_session(self, store_id: str) -> None:
        self._store.delete(store_id)

    def _upsert_session(
        self, lifetime: timedelta, session: EncryptedSession, store_id: str
    ) -> None:
        """Save the session, unless it was logged out while this request ran."""
        plain = msgspec.msgpack.encode(_Sealed(store_id, dict(session)))
        sealed = self._fernet.encrypt(plain)
        seconds = max(int(lifetime.total_seconds()), session.idle_seconds)
        already_stored = session.sid == session.known_sid
        self._store.set(store_id, sealed, seconds, only_existing=already_stored)


def init_app(app: Flask, settings: Settings, store: Store) -> None:
    """Install the session interface and the settings of the session cookie."""
    app.config.update(
        SESSION_COOKIE_NAME="__Host-session" if settings.https else "session",
        SESSION_COOKIE_SECURE=settings.https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # Strict would be dropped on the redirect back from Clever
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(minutes=settings.session_idle_minutes),
    )
    app.session_interface = EncryptedSessionInterface(app, settings, store)


def derive_fernet(secrets: Sequence[str], purpose: str) -> MultiFernet:
    """Return Fernet with keys for one purpose, derived from secrets of any length.

    The first secret encrypts, and each of them decrypts, so that a new secret loses nothing.
    """
    name = f"clever-login {purpose}".encode()
    keys = [hmac.new(secret.encode(), name, hashlib.sha256).digest() for secret in secrets]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
