"""The events API: what changed in a district, for the tokens of districts at Secure Sync."""

from flask import Blueprint, Response, abort, jsonify, request

from clever_simulator import api, lists, reach
from clever_simulator.events import Event
from clever_simulator.index import Listing
from clever_simulator.lists import QueryError
from clever_simulator.records import Record
from clever_simulator.versions import VERSIONS
from clever_simulator.world import world

bp = Blueprint("feed", __name__)
bp.before_request(api.check_token)
bp.after_request(api.tell_limits)

# The records of which v1 lists the events.
_RECORDS = ("school_admins", "schools", "sections", "students", "teachers")


@bp.get(f"{api.VERSION}/events")
def events(version: str) -> Response:
    """All events of the district, oldest first."""
    _check_token_kind()
    found = _told(version)
    if VERSIONS[version].event_filters:
        found = _filtered(found)
    return _answer(version, found)


@bp.get(f"{api.VERSION}/events/<event_id>")
def event(version: str, event_id: str) -> Response:
    """One event."""
    _check_token_kind()
    found = next((one for one in _told(version) if one.id == event_id), None)
    if found is None:
        return api.not_found()
    uri = f"/{version}/events/{event_id}"
    return jsonify(data=found.record, links=[{"rel": "self", "uri": uri}])


@bp.get(f"{api.VERSION}{api.COLLECTION}/<record_id>/events")
def events_of_record(version: str, collection: str, record_id: str) -> Response:
    """The events of one record; of a school also those of its people and sections."""
    _check_token_kind()
    if VERSIONS[version].event_filters or collection not in _RECORDS:
        return api.not_found()
    here = collection == "schools"
    found = [
        one
        for one in _told(version)
        if (here and record_id in one.seen.schools)
        or (one.collection, one.seen.record.get("id")) == (collection, record_id)
    ]
    index = world().data.index(api.token().district)
    if not found and index.listing(version, collection).get(record_id) is None:
        return api.not_found()
    return _answer(version, found)


def _check_token_kind() -> None:
    if not reach.is_whole(api.token()):
        abort(404 if api.token().login else api.not_found())


def _told(version: str) -> list[Event]:
    token = api.token()
    found = world().events.read(version, token.district.id, world().clock.now())
    hidden = {
        one_id
        for person in world().people.people_of(token.district)
        if person.user_name in token.app.unshared
        for one_id in (person.id, *(post.legacy_id for post in person.posts))
    }
    return [one for one in found if str(one.seen.record.get("id")) not in hidden]


def _filtered(found: list[Event]) -> list[Event]:
    """Those of one school, and of the record types, that the query asks for."""
    school, types = request.args.get("school"), set(request.args.getlist("record_type"))
    return [
        one
        for one in found
        if (school is None or school in one.seen.schools)
        and (not types or one.type.partition(".")[0] in types)
    ]


def _answer(version: str, found: list[Event]) -> Response:
    listing = Listing([one.id for one in found], found)
    try:
        _check_cursor(version)
        page = lists.page(listing, request.path, request.args, lists.limit_of(request.args))
    except QueryError as error:
        return api.message(error.status, str(error))
    items: list[Record] = [
        {"data": one.record, "uri": f"/{version}/events/{event_id}"}
        for event_id, one in page.things
    ]
    return jsonify(data=items, links=page.links)


def _check_cursor(version: str) -> None:
    known = {one.id for one in _told(version)} | {"last"}
    for name in ("starting_after", "ending_before"):
        if request.args.get(name, "last") not in known:
            raise QueryError(404, f"{name}: there is no such event; events are kept for 30 days.")
