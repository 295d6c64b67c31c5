"""The endpoints that an access token opens: /userinfo and those of the six API versions."""

from flask import Blueprint, Response, abort, g, jsonify, request

from clever_simulator import answers, reach, shapes
from clever_simulator.lists import QueryError
from clever_simulator.oauth import bearer
from clever_simulator.people import Person
from clever_simulator.tokens import CALLS_PER_MINUTE, Login, Token
from clever_simulator.versions import VERSIONS
from clever_simulator.world import world

bp = Blueprint("api", __name__)


def _any_of(names: set[str], variable: str) -> str:
    return "/<any({}):{}>".format(",".join(f'"{name}"' for name in sorted(names)), variable)


VERSION = _any_of(set(VERSIONS), "version")
_COLLECTIONS = {name for rules in VERSIONS.values() for name in rules.collections}
_PEOPLE = {name for rules in VERSIONS.values() for name in rules.users}
COLLECTION = _any_of(_COLLECTIONS, "collection")


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
    # Nothing was counted where a fault answered in place of the endpoint.
    untouched = 0 if response.status_code == 429 else CALLS_PER_MINUTE
    left, resets = g.get("limit", (untouched, int(world().clock.now()) + 60))
    for name, value in rate_headers(left, resets).items():
        response.headers.setdefault(name, value)
    return response


@bp.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """Who logged in, and in which role."""
    login = _login()
    if login is None:
        return not_found()
    return jsonify(shapes.userinfo(_now(login.person), login.role, login.app.tier))


@bp.get(f"{VERSION}/me")
def me(version: str) -> Response:
    """Whose token this is: a person's, or a district's."""
    login = _login()
    if login is None:
        return jsonify(shapes.me_district(version, token().district))
    answer = shapes.me(version, _now(login.person), login.role, login.app.tier)
    if not login.app.says_authorized_by:
        answer["data"].pop("authorized_by", None)
    return jsonify(answer)


def data(
    version: str, collection: str, record_id: str | None = None, nested: str | None = None
) -> Response:
    """Any list, any record, and what belongs to a record, as far as the token reaches."""
    if collection not in VERSIONS[version].collections:
        abort(404)
    # Clever has a page, not JSON, for an endpoint that is not for this kind of token at all.
    opened = reach.opens(token(), version, collection, nested)
    listed = record_id is None and collection != "districts"
    if not opened or (listed and token().login):
        return not_found() if token().login is None else abort(404)
    try:
        answer = answers.find(_call(version), collection, record_id, nested)
    except QueryError as error:
        return message(error.status, str(error))
    return jsonify(answer) if answer else not_found()


def no_such_path(collection: str, **_parts: str) -> Response:
    """An id, or a last part of a path, that nothing can have."""
    return not_found() if collection else abort(404)


# The names of these endpoints are those by which a fault finds them.
for _endpoint, _rule in (
    ("districts", "/<any(districts):collection>"),
    ("district", "/<any(districts):collection>/<record_id>"),
    ("school", "/<any(schools):collection>/<record_id>"),
    ("user", _any_of(_PEOPLE, "collection") + "/<record_id>"),
    ("data", COLLECTION),
    ("data", f"{COLLECTION}/<record_id>"),
    ("data", f"{COLLECTION}/<record_id>/<nested>"),
):
    bp.add_url_rule(VERSION + _rule, _endpoint, data)
bp.add_url_rule(f"{VERSION}{COLLECTION}/<path:rest>", "no_such_path", no_such_path)


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


def token() -> Token:
    """The token of the request that is being answered."""
    found: Token = g.token
    return found


def _call(version: str) -> answers.Call:
    unshared = frozenset(token().app.unshared)
    return answers.Call(
        token=token(),
        version=version,
        index=world().data.index(token().district, unshared),
        path=request.path,
        args=request.args,
    )


def _now(person: Person) -> Person:
    """Somebody who has logged in, as they are now."""
    return world().people.by_id(person.id) or person


def _login() -> Login | None:
    return token().login
