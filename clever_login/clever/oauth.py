"""The authorization code grant with Clever (RFC 6749, section 4.1).

The only module that uses Authlib. It uses Authlib's client core with this app's HTTP client:
Authlib's Flask integration opens a connection per call, has no timeout, and keeps abandoned logins
in the session.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import requests
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client

from clever_login.clever.deadlines import Deadline
from clever_login.clever.http import HttpClient
from clever_login.clever.retries import BUSY_STATUSES, TEMPORARY_STATUSES
from clever_login.config import Settings
from clever_login.errors import (
    CleverConnectionLost,
    CleverMisconfigured,
    CleverUnavailable,
    CleverUnexpected,
    CodeUsed,
    NotJson,
)

# RFC 6749, section 4.1.3. The media type has no parameters. Authlib adds a charset by default, and
# a server that compares the whole header would refuse the request.
FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The tokens that a code was exchanged for.

    The ID token is present if Clever has enabled OIDC for the app.
    """

    access_token: str = field(repr=False)
    id_token: str | None = field(default=None, repr=False)


def authorization_url(
    settings: Settings, *, state: str, nonce: str, district_id: str | None, confirm: bool
) -> str:
    """Return the URL that starts a login at Clever.

    With `confirm`, Clever asks students to confirm who they are. No scope is requested: Clever
    manages scopes per app. The nonce is returned in an ID token.
    """
    extra = {"nonce": nonce} | ({"district_id": district_id} if district_id else {})
    if confirm:
        extra["confirmed"] = "false"
    client = OAuth2Client(None, settings.clever_client_id, redirect_uri=settings.redirect_uri)
    url, _ = client.create_authorization_url(
        f"{settings.clever_url}/oauth/authorize", state=state, **extra
    )
    return str(url)


def exchange_code(
    settings: Settings, transport: HttpClient, code: str, deadline: Deadline
) -> Tokens:
    """Exchange the authorization code for a bearer token.

    The POST is sent again only if no connection was made. CleverConnectionLost and NotJson mean
    that the code may be used without a token: the login can be restarted with a new code. Raises
    CodeUsed if Clever no longer accepts the code, and CleverMisconfigured if Clever rejects the
    app's credentials or redirect URI.
    """
    client = _AuthlibClient(
        _AuthlibSession(transport, deadline),
        settings.clever_client_id,
        settings.clever_client_secret,
        token_endpoint_auth_method="client_secret_basic",  # noqa: S106 # the name of a method
        redirect_uri=settings.redirect_uri,
    )
    try:
        token = client.fetch_token(
            f"{settings.clever_url}/oauth/tokens",
            headers=FORM_HEADERS,
            grant_type="authorization_code",
            code=code,
        )
    except OAuth2Error as error:
        raise _refusal_error(error) from None  # the description is Clever's text and is not logged
    except requests.HTTPError as error:  # raised by Authlib for a status of 500 and above
        raise CleverUnavailable("the token endpoint answered with a server error") from error
    except (ValueError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
        raise CleverUnexpected("the token endpoint's response has an unexpected format") from error
    id_token = token.get("id_token")
    return Tokens(
        access_token=_bearer_token(token),
        id_token=id_token if isinstance(id_token, str) and id_token else None,
    )


def _refusal_error(error: OAuth2Error) -> Exception:
    if error.error == "invalid_grant":
        return CodeUsed("Clever no longer accepts the code")
    return CleverMisconfigured("Clever does not accept the app's credentials or redirect URI")


def _bearer_token(token: dict[str, Any]) -> str:
    """Return the access token of a token response.

    Clever sends no token_type, which RFC 6749 requires.
    """
    value = token.get("access_token")
    kind = token.get("token_type", "bearer")
    if not isinstance(value, str) or not isinstance(kind, str) or kind.lower() != "bearer":
        raise CleverUnexpected("the token endpoint returned no bearer token")
    if not value.isascii() or not value.isprintable() or " " in value or not value:
        raise CleverUnexpected("the token contains invalid characters")
    return value


class _BasicAuth(ClientAuth):
    """Authlib's client authentication, in the form of a requests auth object."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = (request.method, request.url, request.headers, request.body)
        _, request.headers, _ = self.prepare(*parts)  # type: ignore[no-untyped-call] # Authlib has no types
        return request


class _AuthlibClient(OAuth2Client):
    client_auth_class = _BasicAuth


class _AuthlibSession:
    """The subset of a requests session that Authlib needs, on this app's HTTP client."""

    def __init__(self, transport: HttpClient, deadline: Deadline) -> None:
        self._transport, self._deadline = transport, deadline

    def post(self, url: str, **parts: Any) -> requests.Response:
        answer = self._transport.send(requests.Request("POST", url, **parts), self._deadline)
        if answer.status in BUSY_STATUSES:
            raise CleverUnavailable(f"Clever answered {answer.status} to the token request")
        if answer.status in TEMPORARY_STATUSES:
            raise CleverConnectionLost(f"Clever answered {answer.status} to the token request")
        if answer.cut_off:
            raise NotJson("the token endpoint's response is not JSON")
        if answer.status == 401:  # a body without an `error` key would pass for a token
            raise CleverMisconfigured("Clever does not accept the app's credentials")
        response = requests.Response()
        response.status_code, response.headers, response._content = (
            answer.status,
            answer.headers,
            answer.body,
        )
        return response
