"""The events API: what changed in a district, for district tokens of Secure Sync apps."""

from flask import Blueprint, Response, abort, jsonify, request
from werkzeug.datastructures import MultiDict

from clever_simulator.data_api import pagination, permissions
from clever_simulator.data_api.index import Listing
from clever_simulator.data_api.pagination import QueryError
from clever_simulator.data_api.records import Record
from clever_simulator.data_api.versions import VERSIONS
from clever_simulator.history.event_log import Event
from clever_simulator.state import simulator_state
from clever_simulator.views import data_api

bp = Blueprint("events", __name__)
bp.before_request(data_api.check_token)
bp.after_request(data_api.add_rate_limit_headers)

# The collections that have per-record events in v1.
_RECORD_COLLECTIONS = ("school_admins", "schools", "sections", "students", "teachers")


@bp.get(f"{data_api.VERSION_RULE}/events")
def events(version: str) -> Response:
    """Returns all events of the district, oldest first."""
    _check_token_kind()
    visible = _visible_events(version)
    if VERSIONS[version].event_filters:
        visible = _filter_events(visible)
    return _events_response(version, visible)


@bp.get(f"{data_api.VERSION_RULE}/events/<event_id>")
def event(version: str, event_id: str) -> Response:
    """Returns one event."""
    _check_token_kind()
    visible = next(
        (candidate for candidate in _visible_events(version) if candidate.id == event_id), None
    )
    if visible is None:
        return data_api.not_found_response()
    uri = f"/{version}/events/{event_id}"
    return jsonify(data=_event_record(visible), links=[{"rel": "self", "uri": uri}])


@bp.get(f"{data_api.VERSION_RULE}{data_api.COLLECTION_RULE}/<record_id>/events")
def events_of_record(version: str, collection: str, record_id: str) -> Response:
    """Returns the events of one record. For a school, includes its people and sections."""
    _check_token_kind()
    if VERSIONS[version].event_filters or collection not in _RECORD_COLLECTIONS:
        return data_api.not_found_response()
    is_school = collection == "schools"
    visible = [
        candidate
        for candidate in _visible_events(version)
        if (is_school and record_id in candidate.snapshot.schools)
        or (candidate.collection, candidate.snapshot.record.get("id")) == (collection, record_id)
    ]
    index = simulator_state().data.index(data_api.current_token().district)
    if not visible and index.listing(version, collection).get(record_id) is None:
        return data_api.not_found_response()
    return _events_response(version, visible)


def _check_token_kind() -> None:
    if not permissions.is_district_token(data_api.current_token()):
        abort(404 if data_api.current_token().login else data_api.not_found_response())


def _visible_events(version: str) -> list[Event]:
    token = data_api.current_token()
    if not token.app.events:
        return []
    stored = simulator_state().events.read(
        version, token.district.id, simulator_state().clock.now()
    )
    hidden = {
        person_id
        for person in simulator_state().people.people_of(token.district)
        if person.user_name in token.app.unshared
        for person_id in (
            person.id,
            *(assignment.legacy_id for assignment in person.role_assignments),
        )
    }
    return [
        stored_event
        for stored_event in stored
        if str(stored_event.snapshot.record.get("id")) not in hidden
    ]


def _filter_events(visible: list[Event]) -> list[Event]:
    """Keeps the events of the school and record types that the query asks for."""
    school, types = request.args.get("school"), set(request.args.getlist("record_type"))
    return [
        candidate
        for candidate in visible
        if (school is None or school in candidate.snapshot.schools)
        and (not types or candidate.type.partition(".")[0] in types)
    ]


def _events_response(version: str, visible: list[Event]) -> Response:
    listing, app = Listing([item.id for item in visible], visible), data_api.current_token().app
    try:
        arguments = _checked_arguments(version)
        page = pagination.paginate(
            listing, request.path, arguments, pagination.parse_limit(request.args, app)
        )
    except QueryError as error:
        return data_api.error_response(error.status, str(error))
    items: list[Record] = [
        {"data": _event_record(item_event), "uri": f"/{version}/events/{event_id}"}
        for event_id, item_event in page.entities
    ]
    links = page.links if app.sends_prev else pagination.without_prev(page.links)
    return jsonify(data=items, links=links)


def _event_record(item: Event) -> Record:
    record = item.record
    if data_api.current_token().app.previous_attributes == "beside_data" and item.previous:
        del record["data"]["previous_attributes"]
        record["previous_attributes"] = item.previous
    return record


def _checked_arguments(version: str) -> pagination.QueryArgs:
    """Returns the query without cursors to ignore. Raises QueryError for other unknown ones."""
    app, arguments = data_api.current_token().app, MultiDict(request.args)
    if not app.events:
        return arguments
    known_ids = {known_event.id for known_event in _visible_events(version)} | {"last"}
    for name in ("starting_after", "ending_before"):
        if request.args.get(name, "last") in known_ids:
            continue
        if app.old_event == "ignored":
            del arguments[name]
        else:
            raise QueryError(
                int(app.old_event), f"{name}: no event has this id. Events are kept for 30 days."
            )
    return arguments
