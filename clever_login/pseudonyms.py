"""Names for people and districts in logs and store keys, that take the secret to make.

The same person has the same pseudonym everywhere, so that an operator can follow a reference or end
somebody's sessions; without SECRET_KEY it leads to nobody.
"""

from __future__ import annotations

import hashlib
import hmac

LENGTH = 16  # hexadecimal digits: 64 bits, more than any district needs
NOBODY = "0" * LENGTH


def pseudonym(secret: str, kind: str, clever_id: str | None) -> str:
    """The pseudonym of a `person` or a `district`; NOBODY for none."""
    if clever_id is None:
        return NOBODY
    name = f"clever-login {kind} {clever_id}".encode()
    return hmac.new(secret.encode(), name, hashlib.sha256).hexdigest()[:LENGTH]
