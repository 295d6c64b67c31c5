"""The endpoints that an access token opens: /userinfo and those of the six API versions."""

from flask import Blueprint, Response, abort, g, jsonify

from clever_simulator import shapes
from clever_simulator.oauth import bearer
from clever_simulator.tokens import CALLS_PER_MINUTE, Login, Token
from clever_simulator.world import world

bp = Blueprint("api", __name__)

_ANY_VERSION = "/<any({}):version>".format(",".join(f'"{name}"' for name in shapes.VERSIONS))
_PEOPLE = "users,students,teachers,school_admins,district_admins"


@bp.before_request
def check_token() -> Response | None:
    """Answers 401 without a valid token and 429 after too many calls with one."""
    token = world().vault.find(bearer())
    g.limit = world().vault.calls_left(token.value if token else "")
    if token is None:
        return message(401, "Invalid or missing access token")
    g.token = token
    return too_many() if g.limit[0] < 0 else None


@bp.after_request
def tell_limits(response: Response) -> Response:
    """Adds the rate-limit headers, which Clever sends with every answer of the API."""
    # No limit was counted where a fault answered in place of the endpoint.
    left, resets = g.get("limit", (0, int(world().clock.now()) + 60))
    for name, value in rate_headers(left, resets).items():
        response.headers.setdefault(name, value)
    return response


@bp.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """Who logged in, and in which role."""
    login = _login()
    if login is None:
        return not_found()
    return jsonify(shapes.userinfo(login.person, login.role, login.app.tier))


@bp.get(f"{_ANY_VERSION}/me")
def me(version: str) -> Response:
    """Whose token this is: a person's, or a district's."""
    login = _login()
    if login is None:
        return jsonify(shapes.me_district(version, _token().district))
    return jsonify(shapes.me(version, login.person, login.role, login.app.tier))


@bp.get(f"{_ANY_VERSION}/<any({_PEOPLE}):plural>/<record_id>")
def user(version: str, plural: str, record_id: str) -> Response:
    """The record of the person who logged in, and of nobody else."""
    if plural not in shapes.VERSIONS[version].users:
        abort(404)
    login = _login()
    if login is None or login.role not in shapes.VERSIONS[version].users[plural]:
        return not_found()
    if record_id != shapes.user_id(version, login.person, login.role):
        return not_found()
    return jsonify(shapes.user(version, login.person, login.role, login.app.tier))


@bp.get(f"{_ANY_VERSION}/schools/<record_id>")
def school(version: str, record_id: str) -> Response:
    """A school of the person's district, to apps of the Secure Sync tier."""
    login, one = _login(), world().people.school(record_id)
    if login is None or login.app.tier != "secure_sync":
        return not_found()
    if one is None or one.district != login.person.district:
        return not_found()
    return jsonify(shapes.school(version, one))


@bp.get(f"{_ANY_VERSION}/districts/<record_id>")
def district(version: str, record_id: str) -> Response:
    """The district that the token belongs to."""
    token = _token()
    if record_id != token.district.id:
        return not_found()
    return jsonify(shapes.district(version, token.district, token.app.tier))


@bp.get(f"{_ANY_VERSION}/districts")
def districts(version: str) -> Response:
    """A list of one: the district that the token belongs to."""
    token = _token()
    return jsonify(shapes.districts(version, token.district, token.app.tier))


def not_found() -> Response:
    """What Clever says of all that a token may not reach: its status table has no 403."""
    return message(404, "Resource not found")


def message(status: int, text: str) -> Response:
    """An error in the only form that Clever's API definitions know."""
    answer = jsonify(message=text)
    answer.status_code = status
    return answer


def too_many() -> Response:
    """Clever's 429, which has an empty body."""
    answer = Response(status=429)
    del answer.headers["Content-Type"]
    answer.headers.update(rate_headers(0, int(world().clock.now()) + 60))
    return answer


def rate_headers(left: int, resets: int) -> dict[str, str]:
    """The four headers; `resets` is in seconds since 1970."""
    return {
        "X-RateLimit-Limit": str(CALLS_PER_MINUTE),
        "X-RateLimit-Remaining": str(max(0, left)),
        "X-RateLimit-Reset": str(resets),
        "X-RateLimit-Bucket": "access_token",
    }


def _token() -> Token:
    token: Token = g.token
    return token


def _login() -> Login | None:
    return _token().login
