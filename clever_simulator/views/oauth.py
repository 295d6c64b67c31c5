"""OAuth endpoints that servers call: code exchange, district tokens and token info."""

import hmac
from collections.abc import Mapping
from urllib.parse import unquote_plus

from flask import Blueprint, Response, jsonify, request

from clever_simulator.config import RegisteredApp
from clever_simulator.credentials.scopes import scopes_of
from clever_simulator.credentials.tokens import CodeRefused, Token
from clever_simulator.state import simulator_state
from clever_simulator.views import oidc, sharing

bp = Blueprint("oauth", __name__)

_REQUIRED_FIELDS = ("grant_type", "code", "redirect_uri")


@bp.post("/oauth/tokens")
def exchange() -> Response:
    """Exchanges a code, once, for an `il` token. Accepts a JSON or form body only."""
    values = _request_body()
    app = _authenticated_app() or _app_from_body(values or {})
    if app is None:
        return _invalid_client(values or {})
    problem = "invalid content-type" if values is None else _find_problem(values, app)
    if values is None or problem:
        return oauth_error(400, "invalid_request", problem)
    if values["grant_type"] != "authorization_code":
        return oauth_error(400, "unsupported_grant_type", "grant_type must be authorization_code")
    try:
        token = simulator_state().tokens.redeem(values["code"], app, values["redirect_uri"])
    except CodeRefused as refusal:
        is_named = refusal.mismatch and app.wrong_redirect_uri == "redirect_uri_mismatch"
        return oauth_error(
            400, app.wrong_redirect_uri if is_named else "invalid_grant", "invalid code"
        )
    body = {"access_token": token.value}
    if app.sends_token_type:
        body["token_type"] = "bearer"  # noqa: S105 # a name from RFC 6750
    if token.app.oidc and token.login:
        body["id_token"] = oidc.make_id_token(token.login)
    return _forbid_caching(jsonify(body))


@bp.get("/oauth/tokens")
def district_tokens() -> Response:
    """Lists an app's tokens for the districts that are connected to it."""
    app = _authenticated_app()
    if app is None:
        return _invalid_client()
    district_id = request.args.get("district")
    implied = "district" if district_id and not app.owner_type_required else ""
    if request.args.get("owner_type", implied) != "district":
        return oauth_error(400, "invalid_request", "owner_type must be district")
    # A Library app is authorized by teachers, never by a district.
    connected = [
        district
        for district in simulator_state().people.districts
        if app.for_district(district.shortname).tier != "library"
    ]
    districts = [
        district
        for district in connected
        if district_id in (None, district.id) and sharing.is_connected(app, district)
    ]
    tokens = [simulator_state().tokens.district_token(app, district) for district in districts]
    uri = request.full_path.rstrip("?")
    return _forbid_caching(
        jsonify(
            data=[_district_token_record(token) for token in tokens],
            links=[{"rel": "self", "uri": uri}],
        )
    )


@bp.get("/oauth/tokeninfo")
def tokeninfo() -> Response:
    """Returns the app that a token was issued to, so that clients can reject others' tokens."""
    token = simulator_state().tokens.find(bearer_token())
    if token is None:
        return oauth_error(401, "invalid_token", "the token is unknown or expired")
    return _forbid_caching(jsonify(client_id=token.app.client_id, scopes=scopes_of(token.app)))


def bearer_token() -> str:
    """Returns the bearer token of the Authorization header, or an empty string."""
    authorization = request.authorization
    return (authorization.token or "") if authorization and authorization.type == "bearer" else ""


def oauth_error(status: int, error: str, description: str) -> Response:
    """Returns an error in the format of RFC 6749, section 5.2."""
    response = _forbid_caching(jsonify(error=error, error_description=description))
    response.status_code = status
    return response


def _forbid_caching(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _invalid_client(values: Mapping[str, object] | None = None) -> Response:
    claimed = request.authorization.username if request.authorization else None
    app = simulator_state().config.app(claimed or str((values or {}).get("client_id")))
    if app and app.wrong_secret == "400":  # noqa: S105 # a status
        return oauth_error(400, "invalid_client", "unknown client or wrong secret")
    response = oauth_error(401, "invalid_client", "unknown client or wrong secret")
    response.headers["WWW-Authenticate"] = 'Basic realm="clever"'
    return response


def _authenticated_app() -> RegisteredApp | None:
    authorization = request.authorization
    if authorization is None or authorization.type != "basic":
        return None
    credentials = (authorization.username or "", authorization.password or "")
    # RFC 6749, section 2.3.1: a client encodes both like form fields. Most clients do not.
    plain, encoded = _find_app(*credentials), _find_app(*map(unquote_plus, credentials))
    found = plain or encoded
    if found is None or found.encoded_basic == "both":
        return found
    return plain if found.encoded_basic == "plain" else encoded


def _app_from_body(values: Mapping[str, object]) -> RegisteredApp | None:
    app = _find_app(values.get("client_id"), values.get("client_secret"))
    return app if app and app.secret_in_body and request.authorization is None else None


def _find_app(client_id: object, secret: object) -> RegisteredApp | None:
    if not (isinstance(client_id, str) and isinstance(secret, str)):
        return None
    app = simulator_state().config.app(client_id)
    secret_matches = app and hmac.compare_digest(
        secret.encode(errors="surrogatepass"), app.client_secret.encode()
    )
    return app if secret_matches else None


def _request_body() -> Mapping[str, str] | None:
    """Returns the fields of a JSON or form body, or None for other content types."""
    if request.mimetype == "application/json":
        values = request.get_json(silent=True)
        return values if isinstance(values, dict) else {}
    if request.mimetype == "application/x-www-form-urlencoded":
        repeated = any(len(values) > 1 for _, values in request.form.lists())
        return {} if repeated else request.form.to_dict()
    return None


def _find_problem(values: Mapping[str, object], app: RegisteredApp) -> str:
    """Returns what is wrong with a token request, or an empty string."""
    if request.content_length is None and not app.length_optional:
        return "Content-Length is missing"
    if app.bare_content_type and request.content_type != request.mimetype:
        return "invalid content-type"
    secret_in_body = "client_secret" in values and not app.secret_in_body
    if secret_in_body or "client_secret" in request.args:
        return "the client authenticates with HTTP Basic only"
    missing = [
        name
        for name in _REQUIRED_FIELDS
        if not isinstance(values.get(name), str) or not values[name]
    ]
    return f"{missing[0]} is missing" if missing else ""


def _district_token_record(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "created": "2024-08-12T14:05:00.000Z",
        "owner": {"type": "district", "id": token.district.id},
        "access_token": token.value,
        "scopes": scopes_of(token.app),
    }
