"""Pseudonyms of users and districts in logs and store keys.

A user has the same pseudonym in every log and store key, so an operator can trace a reference or
end that user's sessions. Without SECRET_KEY a pseudonym cannot be linked to a user.
"""

from __future__ import annotations

import hashlib
import hmac

PSEUDONYM_LENGTH = 16  # hexadecimal digits: 64 bits, more than any district needs
NOBODY_PSEUDONYM = "0" * PSEUDONYM_LENGTH


def pseudonym(secret: str, kind: str, clever_id: str | None) -> str:
    """Return the pseudonym of a `person` or `district` id; NOBODY_PSEUDONYM for None."""
    if clever_id is None:
        return NOBODY_PSEUDONYM
    name = f"clever-login {kind} {clever_id}".encode()
    return hmac.new(secret.encode(), name, hashlib.sha256).hexdigest()[:PSEUDONYM_LENGTH]
