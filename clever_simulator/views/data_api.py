"""The endpoints that need an access token: /userinfo and the six API versions."""

from flask import Blueprint, Response, abort, g, jsonify, request

from clever_simulator.config import RegisteredApp
from clever_simulator.credentials.tokens import CALLS_PER_MINUTE, Login, Token
from clever_simulator.data_api import permissions, queries, serializers
from clever_simulator.data_api.pagination import QueryError
from clever_simulator.data_api.versions import VERSIONS
from clever_simulator.directory.models import Person
from clever_simulator.state import simulator_state
from clever_simulator.views.oauth import bearer_token

bp = Blueprint("api", __name__)


def _url_choice(names: set[str], variable: str) -> str:
    return "/<any({}):{}>".format(",".join(f'"{name}"' for name in sorted(names)), variable)


VERSION_RULE = _url_choice(set(VERSIONS), "version")
_ME_FIELDS = {"id", "type", "district"}
_SHARED_ROLES = {"student", "teacher", "staff", "district_admin"}
_COLLECTIONS = {name for rules in VERSIONS.values() for name in rules.collections}
_USER_COLLECTIONS = {name for rules in VERSIONS.values() for name in rules.users}
COLLECTION_RULE = _url_choice(_COLLECTIONS, "collection")


@bp.before_request
def check_token() -> Response | None:
    """Returns 401 without a valid token and 429 when a token is over the rate limit."""
    token = simulator_state().tokens.find(bearer_token())
    g.limit = simulator_state().tokens.calls_left(token.value if token else "")
    if token is None:
        return error_response(401, "Invalid or missing access token")
    g.token = token
    if g.limit[0] < 0:
        return too_many_requests(token.app)
    version = (request.view_args or {}).get("version")
    return _missing_version(token.app) if version and not token.app.has_version(version) else None


@bp.after_request
def add_rate_limit_headers(response: Response) -> Response:
    """Adds the rate-limit headers, which Clever sends with every API response."""
    # No call was counted if a fault replaced the response.
    default_calls = 0 if response.status_code == 429 else CALLS_PER_MINUTE
    calls_left, reset_time = g.get(
        "limit", (default_calls, int(simulator_state().clock.now()) + 60)
    )
    for name, value in rate_limit_headers(calls_left, reset_time).items():
        response.headers.setdefault(name, value)
    return response


@bp.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """Returns the logged-in user and the role of the login."""
    login = _current_login()
    if login is None:
        return not_found_response()
    claims = serializers.serialize_userinfo(
        _current_person(login.person), login.role, login.app.tier
    )
    if login.app.userinfo_role == "missing" and claims["user_type"] not in _SHARED_ROLES:
        del claims["user_type"]
    return jsonify(claims)


@bp.get("/me", defaults={"version": None}, endpoint="me_of_app")
@bp.get(f"{VERSION_RULE}/me")
def me(version: str | None) -> Response:
    """Returns the token's owner: a user or a district.

    Older clients ask for it without a version, and get the app's version.
    """
    login, app = _current_login(), current_token().app
    if version is None and app.unversioned_me == "missing":
        abort(404)
    version = version or app.api_version
    if login is None:
        return jsonify(serializers.serialize_district_me(version, current_token().district))
    data = serializers.serialize_me(
        version, _current_person(login.person), login.role, login.app.tier
    )
    if VERSIONS[version].inlines_user and login.app.short_old_me:
        data["data"] = {key: data["data"][key] for key in _ME_FIELDS & data["data"].keys()}
    if not login.app.sends_authorized_by:
        data["data"].pop("authorized_by", None)
    return jsonify(data)


def data(
    version: str, collection: str, record_id: str | None = None, nested: str | None = None
) -> Response:
    """Returns a list, a record, or a list below a record, if the token can read it."""
    if collection not in VERSIONS[version].collections:
        abort(404)
    # Clever returns an HTML page for an endpoint that never accepts this kind of token.
    is_open = permissions.may_read_endpoint(current_token(), version, collection, nested)
    is_list = record_id is None and collection != "districts"
    is_known_endpoint = current_token().login is None or current_token().app.unreadable == "403"
    if not is_open or (is_list and current_token().login):
        return not_found_response() if is_known_endpoint else abort(404)
    try:
        result = queries.run_query(_new_query(version), collection, record_id, nested)
    except QueryError as error:
        return error_response(error.status, str(error))
    return jsonify(result) if result else not_found_response()


def no_such_path(collection: str, **_parts: str) -> Response:
    """Handles an ID or a last path part that cannot exist."""
    return not_found_response() if collection else abort(404)


# Faults refer to views by these endpoint names.
for _endpoint, _rule in (
    ("districts", "/<any(districts):collection>"),
    ("district", "/<any(districts):collection>/<record_id>"),
    ("school", "/<any(schools):collection>/<record_id>"),
    ("user", _url_choice(_USER_COLLECTIONS, "collection") + "/<record_id>"),
    ("data", COLLECTION_RULE),
    ("data", f"{COLLECTION_RULE}/<record_id>"),
    ("data", f"{COLLECTION_RULE}/<record_id>/<nested>"),
):
    bp.add_url_rule(VERSION_RULE + _rule, _endpoint, data)
bp.add_url_rule(f"{VERSION_RULE}{COLLECTION_RULE}/<path:rest>", "no_such_path", no_such_path)


def not_found_response() -> Response:
    """Returns Clever's answer for anything the token cannot read: its status table has no 403."""
    answer = current_token().app.unreadable
    if answer == "html":
        abort(404)
    return error_response(int(answer), "Resource not found")


def error_response(status: int, text: str) -> Response:
    """Returns an error in the only format in Clever's API definitions."""
    response = jsonify(message=text)
    response.status_code = status
    return response


def _missing_version(app: RegisteredApp) -> Response:
    """Returns the answer in an API version that Clever has not given to the app."""
    if app.missing_version == "html":
        abort(404)
    return error_response(int(app.missing_version), "This version of the API is not available")


def too_many_requests(app: RegisteredApp | None = None) -> Response:
    """Returns Clever's 429, which has an empty body."""
    response = Response(status=429)
    del response.headers["Content-Type"]
    now = simulator_state().clock.now()
    response.headers.update(rate_limit_headers(0, int(now) + 60))
    if app and app.sends_retry_after:
        response.headers["Retry-After"] = str(60 - int(now) % 60)
    return response


def rate_limit_headers(calls_left: int, reset_time: int) -> dict[str, str]:
    """Returns the four rate-limit headers. `reset_time` is in seconds since 1970."""
    return {
        "X-RateLimit-Limit": str(CALLS_PER_MINUTE),
        "X-RateLimit-Remaining": str(max(0, calls_left)),
        "X-RateLimit-Reset": str(reset_time),
        "X-RateLimit-Bucket": "access_token",
    }


def current_token() -> Token:
    """Returns the token of the current request."""
    token: Token = g.token
    return token


def _new_query(version: str) -> queries.ApiQuery:
    unshared = frozenset(current_token().app.unshared)
    return queries.ApiQuery(
        token=current_token(),
        version=version,
        index=simulator_state().data.index(current_token().district, unshared),
        path=request.path,
        args=request.args,
    )


def _current_person(person: Person) -> Person:
    """Returns the current record of a person who logged in earlier."""
    return simulator_state().people.by_id(person.id) or person


def _current_login() -> Login | None:
    return current_token().login
