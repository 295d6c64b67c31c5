"""A tiny OpenID provider on loopback, which stands for Google: real HTTP, real signatures."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import Flask, request
from flask.typing import ResponseReturnValue
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT_ID, CLIENT_SECRET = "our-client", "our-secret"
USER = {
    "sub": "1098",
    "email": "ada@staff.example.org",
    "email_verified": True,
    "hd": "staff.example.org",
    "given_name": "Ada",
    "family_name": "Lovelace",
}


@dataclass
class OpenIdProvider:
    """The provider. `claims` replace those of the next ID token; None removes one."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    signing_key: RSAKey | None = None  # None is `key`, the one that it publishes
    claims: dict[str, Any] = field(default_factory=dict)
    is_down: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self, url: str) -> str:
        """Agree to a login as the user does. Return the URL to which the browser goes back."""
        parameters = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert parameters["client_id"] == CLIENT_ID
        assert parameters["response_type"] == "code"
        code = secrets.token_urlsafe(16)
        self.codes[code] = parameters
        query = urlencode({"code": code, "state": parameters["state"]})
        return f"{parameters['redirect_uri']}?{query}"

    def metadata(self) -> ResponseReturnValue:
        """Return the discovery document."""
        if self.is_down:
            return "down", 503
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def keys(self) -> ResponseReturnValue:
        """Return the public key."""
        return {"keys": [self.key.as_dict(private=False)]}

    def token(self) -> ResponseReturnValue:
        """Exchange a code, once, if the client, the redirect URI, and the verifier are right."""
        if self.is_down:
            return "down", 503
        parameters = self.codes.pop(request.form["code"], {})
        verifier = hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
        expected = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        client = request.authorization
        is_client = client is not None and (client.username, client.password) == (
            CLIENT_ID,
            CLIENT_SECRET,
        )
        is_login = parameters.get("redirect_uri") == request.form.get("redirect_uri")
        if not (is_client and is_login and parameters.get("code_challenge") == expected):
            return {"error": "invalid_grant"}, 400
        return {
            "access_token": "access",
            "token_type": "Bearer",
            "id_token": self._id_token(parameters["nonce"]),
        }

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 3600}
        claims |= USER | {"nonce": nonce} | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.signing_key or self.key)


@contextmanager
def run_openid_provider() -> Iterator[OpenIdProvider]:
    """Run a provider on a free port."""
    provider, app = OpenIdProvider(), Flask("provider")
    app.add_url_rule("/.well-known/openid-configuration", view_func=provider.metadata)
    app.add_url_rule("/keys", view_func=provider.keys)
    app.add_url_rule("/token", view_func=provider.token, methods=["POST"])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
