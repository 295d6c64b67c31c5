"""Records with other values than they would have: odd data, on request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clever_simulator.records import Record


class AlterationError(ValueError):
    """An alteration that cannot be made; the message names the field."""


@dataclass(frozen=True, kw_only=True)
class Alteration:
    """Fields of one record that get other values, or are left out.

    A field inside an object is named by its path: `name.first`, `roles.student.grade`.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()

    def applied(self, record: Record) -> Record:
        """The record with the other values; the original is left as it is."""
        for path, value in self.fields.items():
            record = _with(record, path.split("."), value)
        for path in self.drop:
            record = _without(record, path.split("."))
        return record


def parse(description: object) -> tuple[str, Alteration]:
    """The id of the record and what to change, from decoded JSON; raises AlterationError."""
    if not isinstance(description, dict) or not isinstance(description.get("id"), str):
        raise AlterationError("id: expected the id of a record.")
    fields, drop = description.get("fields", {}), description.get("drop", [])
    if not isinstance(fields, dict):
        raise AlterationError("fields: expected an object of fields and their values.")
    if not isinstance(drop, list) or not all(isinstance(each, str) for each in drop):
        raise AlterationError("drop: expected a list of fields to leave out.")
    return description["id"], Alteration(fields=fields, drop=tuple(drop))


def _with(record: Record, path: list[str], value: Any) -> Record:
    name, *rest = path
    inside = record.get(name)
    if rest:
        value = _with(inside if isinstance(inside, dict) else {}, rest, value)
    return record | {name: value}


def _without(record: Record, path: list[str]) -> Record:
    name, *rest = path
    inside = record.get(name)
    if rest and isinstance(inside, dict):
        return record | {name: _without(inside, rest)}
    return {key: value for key, value in record.items() if rest or key != name}
