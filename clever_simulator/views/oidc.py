"""OpenID Connect, for apps that have it enabled: ID tokens, discovery and keys."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from clever_simulator.credentials.tokens import Login
from clever_simulator.data_api.versions import ROLE_NAMES_BEFORE_V3
from clever_simulator.directory.models import Role
from clever_simulator.state import simulator_state

bp = Blueprint("oidc", __name__)

ID_TOKEN_SECONDS = 60 * 60

# Clever's docs use these user types, with a space in the last one.
_USER_TYPES: dict[Role, str] = {
    "student": "student",
    "teacher": "teacher",
    "staff": "staff",
    "district_admin": "district admin",
}
_SUPPORTED_CLAIMS = (
    "iss sub aud iat exp nonce user_id multi_role_user_id user_type district"
    " email email_verified given_name family_name"
)
_API_HOST_BY_HOST = {
    "clever.com": "api.clever.com"
}  # the only host name whose API is on another host


@bp.get("/.well-known/openid-configuration")
def discovery() -> Response:
    """Returns the endpoints, at the requested host."""
    issuer_url = issuer()
    api = f"{request.scheme}://{_API_HOST_BY_HOST.get(request.host, request.host)}"
    return jsonify(
        issuer=issuer_url,
        authorization_endpoint=f"{issuer_url}/oauth/authorize",
        token_endpoint=f"{issuer_url}/oauth/tokens",
        userinfo_endpoint=f"{api}/userinfo",
        jwks_uri=f"{issuer_url}/oauth/certs",
        response_types_supported=["code"],
        grant_types_supported=["authorization_code"],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=_algorithms(),
        token_endpoint_auth_methods_supported=["client_secret_basic"],
        scopes_supported=["openid"],
        claims_supported=_SUPPORTED_CLAIMS.split(),
    )


@bp.get("/oauth/certs")
def certs() -> Response:
    """Returns the published public keys (JWKS)."""
    return jsonify(keys=simulator_state().keys.published())


def issuer() -> str:
    """Returns the issuer: the requested scheme and host, without a trailing slash."""
    return f"{request.scheme}://{request.host}"


def make_id_token(login: Login) -> str:
    """Returns the signed ID token of a login, valid for an hour."""
    claims = _build_claims(login) | simulator_state().extra_claims
    return simulator_state().keys.sign(
        {name: value for name, value in claims.items() if value is not None},
        login.app.id_token_algorithm,
    )


def _algorithms() -> list[str]:
    """Returns the algorithms of the apps with OpenID Connect: the document is the same for all."""
    used = {app.id_token_algorithm for app in simulator_state().config.apps if app.oidc}
    return sorted(used) or ["RS256"]


def _build_claims(login: Login) -> dict[str, Any]:
    person, now = login.person, int(simulator_state().clock.wall_time())
    has_spaces = login.app.id_token_role == "spaces"  # noqa: S105 # a spelling
    names = _USER_TYPES if has_spaces else ROLE_NAMES_BEFORE_V3
    return {
        "iss": issuer(),
        "sub": person.id,
        "aud": login.app.client_id,
        "iat": now,
        "exp": now + ID_TOKEN_SECONDS,
        "nonce": login.nonce,
        "user_id": person.role_assignment(login.role).legacy_id,
        "multi_role_user_id": person.id,
        "user_type": person.role_assignment(login.role).api_role_name or names[login.role],
        "district": person.district.id,
        "email": person.email,
        "email_verified": False,
        "given_name": person.name.first,
        "family_name": person.name.last,
    }
