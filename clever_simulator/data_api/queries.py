"""Turns a path and a query into JSON: lists, records, and lists below a record."""

from collections.abc import Iterable
from dataclasses import dataclass

from clever_simulator.credentials.tokens import Token
from clever_simulator.data_api import pagination, permissions, relations, serializers
from clever_simulator.data_api.index import (
    DistrictIndex,
    Entity,
    Listing,
    contacts_in_version,
    make_listing,
)
from clever_simulator.data_api.pagination import QueryArgs, QueryError
from clever_simulator.data_api.records import Record
from clever_simulator.data_api.versions import VERSIONS, ApiVersion
from clever_simulator.directory.models import Person, School

# Below a record most path parts list entities. These return a single record.
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
    query: ApiQuery, collection: str, record_id: str | None, nested: str | None
) -> Record | None:
    """Returns the answer, or None if this token cannot read the record. Raises QueryError."""
    if query.token.login and any(name in query.args for name in pagination.PAGING_PARAMETERS):
        raise QueryError(400, _NO_PAGING_MESSAGE)
    listing = query.index.listing(query.version, collection)
    if record_id is None:
        return _list_answer(
            query, _filter_by_role(query, listing, collection), collection, (collection, None)
        )
    never_missing = (collection, nested) in query.rules.never_missing
    if never_missing and not listing.get(record_id) and query.token.app.unknown_contact == "empty":
        return {"data": [], "links": [{"rel": "self", "uri": query.path}]}
    kind, entity = query.rules.collections[collection].kind, listing.get(record_id)
    if entity is None or not permissions.may_read(
        query.token, query.version, query.index, entity, kind, nested
    ):
        return None
    if nested is None:
        return _single_answer(query, collection, entity)
    if nested not in query.rules.collections[collection].nested:
        return None
    return _nested_answer(query, collection, entity, nested)


def _nested_answer(query: ApiQuery, collection: str, entity: Entity, nested: str) -> Record | None:
    if nested in _COMPUTED_PATHS:
        return _COMPUTED_PATHS[nested](query, entity)
    entities = relations.find_nested(query.index, entity, nested)
    listed_in = _COLLECTION_BY_PATH.get(nested, nested)
    if nested in _SINGLE_RECORD_PATHS:
        return _single_answer(query, f"{nested}s", entities[0]) if entities else None
    kind = query.rules.collections[listed_in].kind
    if kind == "contact":
        entities = [
            contact
            for contact in contacts_in_version(query.rules, entities)
            if entity.id in contact.students
        ]
    if "primary" in query.args and query.args["primary"] == "true":
        entities = _filter_primary(entity, entities)
    listing = _filter_by_role(query, make_listing(query.rules, kind, entities), collection)
    return _list_answer(query, listing, listed_in, (collection, nested))


def _list_answer(
    query: ApiQuery, listing: Listing, collection: str, endpoint: tuple[str, str | None]
) -> Record:
    def record(entity: Entity) -> Record:
        return _serialize(query, collection, entity)

    if query.rules.filters and "where" in query.args:
        listing = pagination.filter_listing(listing, query.args["where"], record)
    app = query.token.app
    limit = len(listing.ids) or 1 if query.token.login else pagination.parse_limit(query.args, app)
    pagination.check_cursor(listing, query.args, app)
    page = pagination.paginate(listing, query.path, query.args, limit)
    links = page.links if app.sends_prev else pagination.without_prev(page.links)
    unwrapped = endpoint in query.rules.unwrapped
    uri = f"/{query.version}/{collection}"
    items = [
        record(entity) if unwrapped else {"data": record(entity), "uri": f"{uri}/{entity_id}"}
        for entity_id, entity in page.entities
    ]
    with_count = (
        query.rules.counts
        and app.sends_count
        and endpoint[1] is None
        and query.args.get("count") in ("", "true")
    )
    return {"data": items, "links": links} | ({"count": len(listing.ids)} if with_count else {})


def _filter_by_role(query: ApiQuery, listing: Listing, collection: str) -> Listing:
    """From v3 on, keeps only the users in the role that the query names."""
    role = query.args.get("role")
    if role is None or not query.rules.one_id or collection not in _ROLE_FILTERS:
        return listing
    if role not in _ROLE_FILTERS[collection]:
        if query.token.app.unknown_role_filter == "ignored":
            return listing
        raise QueryError(400, f"role must be one of {', '.join(_ROLE_FILTERS[collection])}.")
    matching = [
        pair
        for pair in zip(listing.ids, listing.entities, strict=True)
        if role in _roles_of_entity(pair[1])
    ]
    return Listing([entity_id for entity_id, _ in matching], [entity for _, entity in matching])


def _roles_of_entity(entity: Entity) -> Iterable[str]:
    return entity.shared_assignments if isinstance(entity, Person) else entity.roles


def _filter_primary(entity: Entity, entities: list[Entity]) -> list[Entity]:
    """Returns a person's first school, or the people whose first school this is."""
    if isinstance(entity, School):
        return [person for person in entities if person.schools[:1] == (entity,)]
    return entities[:1]


def _single_answer(query: ApiQuery, collection: str, entity: Entity) -> Record:
    data = _serialize(query, collection, entity)
    uri = f"/{query.version}/{collection}/{data.get('id')}"
    return {"data": data, "links": [{"rel": "self", "uri": uri}]}


def _serialize(query: ApiQuery, collection: str, entity: Entity) -> Record:
    kind = query.rules.collections[collection].kind
    app = query.token.app
    record = serializers.serialize_record(query.version, query.index, kind, entity, app.tier)
    if isinstance(record.get("roles"), dict):
        in_order = sorted(record["roles"], reverse=app.roles_order == "reversed")
        record = record | {"roles": {name: record["roles"][name] for name in in_order}}
    if kind == "district" and app.last_clever_sync:
        record = {"last_clever_sync": query.index.last_clever_sync} | record
    is_own = query.token.login is not None and isinstance(entity, Person)
    return serializers.without_demographics(record) if is_own and query.rules.one_id else record


def _status_answer(query: ApiQuery, entity: Entity) -> Record:
    status = serializers.serialize_record(
        query.version, query.index, "status", entity, query.token.app.tier
    )
    return {"data": [{"data": status}], "links": [{"rel": "self", "uri": query.path}]}


def _grade_levels_answer(query: ApiQuery, entity: Entity) -> Record:
    grades = {section.grade for section in relations.related_sections(query.index, entity)}
    return {"data": sorted(grades), "links": [{"rel": "self", "uri": query.path}]}


_COMPUTED_PATHS = {"status": _status_answer, "grade_levels": _grade_levels_answer}
