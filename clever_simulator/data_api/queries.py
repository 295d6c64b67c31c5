"""Turns a path and a query into JSON: lists, records, and lists below a record."""

from collections.abc import Iterable
from dataclasses import dataclass

from clever_simulator.credentials.tokens import Token
from clever_simulator.data_api import pagination, permissions, relations, serializers
from clever_simulator.data_api.index import (
    DistrictIndex,
    Listing,
    Thing,
    contacts_in_version,
    make_listing,
)
from clever_simulator.data_api.pagination import QueryArgs, QueryError
from clever_simulator.data_api.records import Record
from clever_simulator.data_api.versions import VERSIONS, ApiVersion
from clever_simulator.directory.models import Person, School

# Below a record most path parts list things. These return a single record.
_SINGLE_RECORD_PATHS = {"course", "district", "school", "student", "teacher", "term"}
# Path parts that are not named after the collection that they list.
_COLLECTION_BY_PATH = {"admins": "district_admins"} | dict.fromkeys(
    ("mycontacts", "mystudents", "myteachers"), "users"
)
_ROLE_FILTERS = {
    "users": ("contact", "district_admin", "staff", "student", "teacher"),
    "schools": ("staff", "student", "teacher"),
    "sections": ("student", "teacher"),
    "resources": ("student", "teacher"),
}
_NO_PAGING_MESSAGE = (
    "A person's token always reads whole lists. Remove the parameters for pages, such as limit."
)


@dataclass(frozen=True, kw_only=True)
class ApiQuery:
    """One API request, made with one token."""

    token: Token
    version: str
    index: DistrictIndex
    path: str
    args: QueryArgs

    @property
    def rules(self) -> ApiVersion:
        """The rules of the request's API version."""
        return VERSIONS[self.version]


def run_query(
    call: ApiQuery, collection: str, record_id: str | None, nested: str | None
) -> Record | None:
    """Returns the answer, or None if this token cannot read the record. Raises QueryError."""
    if call.token.login and any(name in call.args for name in pagination.PAGING_PARAMETERS):
        raise QueryError(400, _NO_PAGING_MESSAGE)
    listing = call.index.listing(call.version, collection)
    if record_id is None:
        return _list_answer(
            call, _filter_by_role(call, listing, collection), collection, (collection, None)
        )
    if not listing.get(record_id) and (collection, nested) in call.rules.never_missing:
        return {"data": [], "links": [{"rel": "self", "uri": call.path}]}
    kind, thing = call.rules.collections[collection].kind, listing.get(record_id)
    if thing is None or not permissions.may_read(call.token, call.index, thing, kind, nested):
        return None
    if nested is None:
        return _single_answer(call, collection, thing)
    if nested not in call.rules.collections[collection].nested:
        return None
    return _nested_answer(call, collection, thing, nested)


def _nested_answer(call: ApiQuery, collection: str, thing: Thing, nested: str) -> Record | None:
    if nested in _COMPUTED_PATHS:
        return _COMPUTED_PATHS[nested](call, thing)
    things = relations.find_nested(call.index, thing, nested)
    listed_in = _COLLECTION_BY_PATH.get(nested, nested)
    if nested in _SINGLE_RECORD_PATHS:
        return _single_answer(call, f"{nested}s", things[0]) if things else None
    kind = call.rules.collections[listed_in].kind
    if kind == "contact":
        things = [
            one for one in contacts_in_version(call.rules, things) if thing.id in one.students
        ]
    if "primary" in call.args and call.args["primary"] == "true":
        things = _filter_primary(thing, things)
    listing = _filter_by_role(call, make_listing(call.rules, kind, things), collection)
    return _list_answer(call, listing, listed_in, (collection, nested))


def _list_answer(
    call: ApiQuery, listing: Listing, collection: str, place: tuple[str, str | None]
) -> Record:
    def record(thing: Thing) -> Record:
        return _serialize(call, collection, thing)

    if call.rules.filters and "where" in call.args:
        listing = pagination.filter_listing(listing, call.args["where"], record)
    limit = len(listing.ids) or 1 if call.token.login else pagination.parse_limit(call.args)
    page = pagination.paginate(listing, call.path, call.args, limit)
    bare = place in call.rules.unwrapped
    uri = f"/{call.version}/{collection}"
    items = [
        record(thing) if bare else {"data": record(thing), "uri": f"{uri}/{one_id}"}
        for one_id, thing in page.things
    ]
    counted = call.rules.counts and place[1] is None and call.args.get("count") in ("", "true")
    return {"data": items, "links": page.links} | ({"count": len(listing.ids)} if counted else {})


def _filter_by_role(call: ApiQuery, listing: Listing, collection: str) -> Listing:
    """From v3 on, keeps only the users in the role that the query names."""
    role = call.args.get("role")
    if role is None or not call.rules.one_id or collection not in _ROLE_FILTERS:
        return listing
    if role not in _ROLE_FILTERS[collection]:
        raise QueryError(400, f"role must be one of {', '.join(_ROLE_FILTERS[collection])}.")
    kept = [
        p for p in zip(listing.ids, listing.things, strict=True) if role in _roles_of_thing(p[1])
    ]
    return Listing([one_id for one_id, _ in kept], [thing for _, thing in kept])


def _roles_of_thing(thing: Thing) -> Iterable[str]:
    return thing.shared_posts if isinstance(thing, Person) else thing.roles


def _filter_primary(thing: Thing, things: list[Thing]) -> list[Thing]:
    """Returns a person's first school, or the people whose first school this is."""
    if isinstance(thing, School):
        return [one for one in things if one.schools[:1] == (thing,)]
    return things[:1]


def _single_answer(call: ApiQuery, collection: str, thing: Thing) -> Record:
    data = _serialize(call, collection, thing)
    uri = f"/{call.version}/{collection}/{data.get('id')}"
    return {"data": data, "links": [{"rel": "self", "uri": uri}]}


def _serialize(call: ApiQuery, collection: str, thing: Thing) -> Record:
    kind = call.rules.collections[collection].kind
    return serializers.serialize_record(call.version, call.index, kind, thing, call.token.app.tier)


def _status_answer(call: ApiQuery, thing: Thing) -> Record:
    status = serializers.serialize_record(
        call.version, call.index, "status", thing, call.token.app.tier
    )
    return {"data": [{"data": status}], "links": [{"rel": "self", "uri": call.path}]}


def _grade_levels_answer(call: ApiQuery, thing: Thing) -> Record:
    grades = {section.grade for section in relations.related_sections(call.index, thing)}
    return {"data": sorted(grades), "links": [{"rel": "self", "uri": call.path}]}


_COMPUTED_PATHS = {"status": _status_answer, "grade_levels": _grade_levels_answer}
