"""From a path and a query to JSON: lists, records, and what belongs to a record."""

from collections.abc import Iterable
from dataclasses import dataclass

from clever_simulator import lists, reach, related, shapes
from clever_simulator.index import Index, Listing, Thing, contacts_in, listed
from clever_simulator.lists import Args, QueryError
from clever_simulator.people import Person, School
from clever_simulator.records import Record
from clever_simulator.tokens import Token
from clever_simulator.versions import VERSIONS, Version

# Below a record most parts of a path list things; these lead to a single one.
_SINGLE = {"course", "district", "school", "student", "teacher", "term"}
# The parts of a path that are not named after the collection that they list.
_LISTS_OF = {"admins": "district_admins"} | dict.fromkeys(
    ("mycontacts", "mystudents", "myteachers"), "users"
)
_ROLES = {
    "users": ("contact", "district_admin", "staff", "student", "teacher"),
    "schools": ("staff", "student", "teacher"),
    "sections": ("student", "teacher"),
    "resources": ("student", "teacher"),
}
_NO_PAGES = "The token of a person reads whole lists: leave out limit and the like."


@dataclass(frozen=True, kw_only=True)
class Call:
    """One question to the API by one token."""

    token: Token
    version: str
    index: Index
    path: str
    args: Args

    @property
    def rules(self) -> Version:
        """What the version of the question has."""
        return VERSIONS[self.version]


def find(call: Call, collection: str, record_id: str | None, nested: str | None) -> Record | None:
    """The answer, or None where there is nothing for this token; raises QueryError."""
    if call.token.login and any(name in call.args for name in lists.PAGING):
        raise QueryError(400, _NO_PAGES)
    listing = call.index.listing(call.version, collection)
    if record_id is None:
        return _list(call, _in_role(call, listing, collection), collection, (collection, None))
    if not listing.get(record_id) and (collection, nested) in call.rules.never_missing:
        return {"data": [], "links": [{"rel": "self", "uri": call.path}]}
    kind, thing = call.rules.collections[collection].kind, listing.get(record_id)
    if thing is None or not reach.reads(call.token, call.index, thing, kind, nested):
        return None
    if nested is None:
        return _single(call, collection, thing)
    if nested not in call.rules.collections[collection].nested:
        return None
    return _below(call, collection, thing, nested)


def _below(call: Call, collection: str, thing: Thing, nested: str) -> Record | None:
    if nested in _COMPUTED:
        return _COMPUTED[nested](call, thing)
    things = related.below(call.index, thing, nested)
    listed_in = _LISTS_OF.get(nested, nested)
    if nested in _SINGLE:
        return _single(call, f"{nested}s", things[0]) if things else None
    kind = call.rules.collections[listed_in].kind
    if kind == "contact":
        things = [one for one in contacts_in(call.rules, things) if thing.id in one.students]
    if "primary" in call.args and call.args["primary"] == "true":
        things = _primary(thing, things)
    listing = _in_role(call, listed(call.rules, kind, things), collection)
    return _list(call, listing, listed_in, (collection, nested))


def _list(call: Call, listing: Listing, collection: str, place: tuple[str, str | None]) -> Record:
    def record(thing: Thing) -> Record:
        return _record(call, collection, thing)

    if call.rules.filters and "where" in call.args:
        listing = lists.matching(listing, call.args["where"], record)
    limit = len(listing.ids) or 1 if call.token.login else lists.limit_of(call.args)
    page = lists.page(listing, call.path, call.args, limit)
    bare = place in call.rules.unwrapped
    uri = f"/{call.version}/{collection}"
    items = [
        record(thing) if bare else {"data": record(thing), "uri": f"{uri}/{one_id}"}
        for one_id, thing in page.things
    ]
    counted = call.rules.counts and place[1] is None and call.args.get("count") in ("", "true")
    return {"data": items, "links": page.links} | ({"count": len(listing.ids)} if counted else {})


def _in_role(call: Call, listing: Listing, collection: str) -> Listing:
    """Only the users in the role that the query names, from v3 on."""
    role = call.args.get("role")
    if role is None or not call.rules.one_id or collection not in _ROLES:
        return listing
    if role not in _ROLES[collection]:
        raise QueryError(400, f"role must be one of {', '.join(_ROLES[collection])}.")
    kept = [p for p in zip(listing.ids, listing.things, strict=True) if role in _roles(p[1])]
    return Listing([one_id for one_id, _ in kept], [thing for _, thing in kept])


def _roles(thing: Thing) -> Iterable[str]:
    return thing.shared_posts if isinstance(thing, Person) else thing.roles


def _primary(thing: Thing, things: list[Thing]) -> list[Thing]:
    """The first school of a person, or the people whose first school this is."""
    if isinstance(thing, School):
        return [one for one in things if one.schools[:1] == (thing,)]
    return things[:1]


def _single(call: Call, collection: str, thing: Thing) -> Record:
    data = _record(call, collection, thing)
    uri = f"/{call.version}/{collection}/{data.get('id')}"
    return {"data": data, "links": [{"rel": "self", "uri": uri}]}


def _record(call: Call, collection: str, thing: Thing) -> Record:
    kind = call.rules.collections[collection].kind
    return shapes.record(call.version, call.index, kind, thing, call.token.app.tier)


def _status(call: Call, thing: Thing) -> Record:
    status = shapes.record(call.version, call.index, "status", thing, call.token.app.tier)
    return {"data": [{"data": status}], "links": [{"rel": "self", "uri": call.path}]}


def _grade_levels(call: Call, thing: Thing) -> Record:
    grades = {section.grade for section in related.sections(call.index, thing)}
    return {"data": sorted(grades), "links": [{"rel": "self", "uri": call.path}]}


_COMPUTED = {"status": _status, "grade_levels": _grade_levels}
