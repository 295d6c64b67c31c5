"""Pagination: validates the query, selects the page and builds its links."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from clever_simulator.data_api.index import Entity, Listing
from clever_simulator.data_api.records import Record
from clever_simulator.switches import Switches

DEFAULT_LIMIT, MAX_LIMIT = 100, 10_000
PAGING_PARAMETERS = ("limit", "starting_after", "ending_before", "count")

QueryArgs = MultiDict[str, str]


class QueryError(ValueError):
    """A query that Clever refuses. `status` is 400, 404 or 413."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page: its entities and its links."""

    entities: list[tuple[str, Entity]]
    links: list[dict[str, str]]


def paginate(listing: Listing, path: str, args: QueryArgs, limit: int) -> Page:
    """Returns the page that the query asks for. Raises QueryError for an invalid query."""
    after, before = args.get("starting_after"), args.get("ending_before")
    if after is not None and before is not None:
        raise QueryError(400, "Use starting_after or ending_before, not both.")
    page_slice = (
        listing.slice_after(after or "", limit)
        if before is None
        else listing.slice_before(before, limit)
    )
    ids = listing.ids[page_slice]
    links = [{"rel": "self", "uri": _page_uri(path, args)}]
    if ids and page_slice.stop < len(listing.ids):
        links.append({"rel": "next", "uri": _page_uri(path, args, starting_after=ids[-1])})
    # Clever documents that the previous page may be empty, so add the link even if nothing
    # precedes.
    if ids and (after is not None or before is not None):
        links.append({"rel": "prev", "uri": _page_uri(path, args, ending_before=ids[0])})
    return Page(entities=list(zip(ids, listing.entities[page_slice], strict=True)), links=links)


def check_cursor(listing: Listing, args: QueryArgs, switches: Switches) -> None:
    """Raises QueryError for a cursor that is no record of the list, if the switch says so."""
    after = args.get("starting_after")
    if after is not None and switches.lost_record == "404" and listing.get(after) is None:
        raise QueryError(404, "starting_after: no record has this id.")


def without_prev(links: list[dict[str, str]]) -> list[dict[str, str]]:
    """Returns the links without the one to the previous page."""
    return [link for link in links if link["rel"] != "prev"]


def parse_limit(args: QueryArgs, switches: Switches) -> int:
    """Returns the page size. Raises QueryError (413 above 10,000, 400 if invalid)."""
    text = args.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdecimal() and text.strip("0")):
        if switches.bad_limit == "default":
            return DEFAULT_LIMIT
        raise QueryError(400, "limit must be a whole number from 1 to 10000.")
    if len(text.lstrip("0")) > len(str(MAX_LIMIT)) or int(text) > MAX_LIMIT:
        raise QueryError(413, "limit must not be above 10000.")
    return int(text)


def filter_listing(listing: Listing, where: str, record: Callable[[Entity], Record]) -> Listing:
    """Keeps the entities whose records match all values of a JSON object. Raises QueryError."""
    conditions = _parse_conditions(where)
    matching = [
        (entity_id, entity)
        for entity_id, entity in zip(listing.ids, listing.entities, strict=True)
        if _matches(record(entity), conditions)
    ]
    return Listing([entity_id for entity_id, _ in matching], [entity for _, entity in matching])


def _parse_conditions(where: str) -> dict[str, object]:
    try:
        conditions = json.loads(where)
    except (ValueError, RecursionError):
        conditions = None
    if not isinstance(conditions, dict):
        raise QueryError(400, "where must be a JSON object with fields and their values.")
    operators = [name for name, value in conditions.items() if isinstance(value, dict | list)]
    if operators or any(name.startswith("$") for name in conditions):
        raise QueryError(400, "where supports no operators, only fields and their values.")
    return conditions


def _matches(record: Record, conditions: dict[str, object]) -> bool:
    return all(_field_value(record, name) == value for name, value in conditions.items())


def _field_value(record: object, name: str) -> object:
    for part in name.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


def _page_uri(path: str, args: QueryArgs, **cursor: str) -> str:
    parameters = [(name, value) for name, value in args.items(multi=True)]
    if cursor:
        parameters = [
            pair for pair in parameters if pair[0] not in ("starting_after", "ending_before")
        ]
    query = urlencode([*parameters, *cursor.items()])
    return f"{path}?{query}" if query else path
