"""What the sessions of a user contain, decrypted, for the export of the user's data."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from flask import current_app

from clever_login.logs.pseudonyms import pseudonym
from clever_login.services import services
from clever_login.sessions.session_interface import (
    OWNED_KEY_PATTERN,
    EncryptedSessionInterface,
    SessionOwner,
)

# Technical values of a session: they are not about the user, and the token is a credential.
NOT_ABOUT_THE_USER = {"csrf_token", "state", "_permanent"}


def read_sessions(*, clever_id: str | None, person_id: str) -> list[dict[str, Any]]:
    """Return the contents of all sessions of a user, ready for JSON.

    The user is named by Clever's id, and by the id of their row in our tables, which sessions of
    other login methods have. An app with its own sessions has none here. Raises StoreUnavailable.
    """
    if not isinstance(current_app.session_interface, EncryptedSessionInterface):
        return []
    secrets = services().settings.secrets
    people = {pseudonym(secret, "person", clever_id) for secret in secrets if clever_id}
    rows = {pseudonym(secret, "row", person_id) for secret in secrets}

    def is_of_user(key: str) -> bool:
        match = OWNED_KEY_PATTERN.match(key)
        owner = SessionOwner(*match.groups()) if match else SessionOwner()
        return owner.person in people or owner.row in rows

    found = services().store.find("session-*", is_of_user)
    contents = (_interface().unseal(key, value) for key, value in found.items())
    return [_about_user(content) for content in contents if content is not None]


def _about_user(content: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in content.items() if name not in NOT_ABOUT_THE_USER}
    return cast(dict[str, Any], msgspec.to_builtins(kept, str_keys=True))


def _interface() -> EncryptedSessionInterface:
    return cast(EncryptedSessionInterface, current_app.session_interface)
