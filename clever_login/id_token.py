"""An id token -> its claims, checked as OpenID Connect Core, section 3.1.3.7, asks."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clever_login.api.deadline import Deadline
from clever_login.api.signing_keys import SigningKeys
from clever_login.clocks import MAY_DIFFER_SECONDS
from clever_login.errors import CleverUnexpected
from clever_login.settings import Settings
from clever_login.values import Json

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

# Clever does not say which it uses. None that needs a shared secret, and never "none".
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")


@dataclass(frozen=True, kw_only=True)
class IdToken:
    """One as it came, with what it has to agree with."""

    value: str = field(repr=False)
    access_token: str = field(repr=False)
    nonce: str = field(repr=False)


def claims(token: IdToken, settings: Settings, keys: SigningKeys, deadline: Deadline) -> Json:
    """The claims of a token that is Clever's, for this app, for this login, and in time.

    Raises CleverUnexpected for any other, and CleverUnavailable when Clever's keys cannot be read.
    """
    header = _header(token.value)
    if "crit" in header:
        raise CleverUnexpected("the id token wants something that we do not know")
    kid = header.get("kid")
    key_set = keys.for_kid(kid if isinstance(kid, str) else None, deadline)
    from joserfc.errors import JoseError

    try:
        return _checked(token, settings, key_set)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        what = f"{type(error).__name__} {getattr(error, 'claim', '')}".strip()
        raise CleverUnexpected(f"the id token is not acceptable ({what})") from None


def _checked(token: IdToken, settings: Settings, keys: KeySet) -> Json:
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.jws import JWSRegistry

    # Headers that carry a key (jwk, jku, x5c) are not looked at: the keys are Clever's.
    registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
    decoded = jwt.decode(token.value, keys, registry=registry)
    client_id = settings.clever_client_id
    found = CodeIDToken(
        decoded.claims,
        decoded.header,
        {
            "iss": {"essential": True, "value": settings.clever_url},
            "aud": {"essential": True, "value": client_id},
        },
        {"nonce": token.nonce, "client_id": client_id, "access_token": token.access_token},
    )
    found.validate(leeway=MAY_DIFFER_SECONDS)
    return dict(found)


def _header(value: str) -> Json:
    part = value.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise CleverUnexpected("the id token is not a token") from error
    if not isinstance(header, dict):
        raise CleverUnexpected("the id token has no header")
    return header
