"""Overrides fields of records, to serve unusual data on request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clever_simulator.data_api.records import Record


class OverrideError(ValueError):
    """An override that cannot be applied. The message names the field."""


@dataclass(frozen=True, kw_only=True)
class RecordOverride:
    """Fields of one record to replace or to omit.

    A nested field is named by its path: `name.first`, `roles.student.grade`.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()

    def apply(self, record: Record) -> Record:
        """Returns a copy of the record with the override applied."""
        for path, value in self.fields.items():
            record = _set_field(record, path.split("."), value)
        for path in self.drop:
            record = _drop_field(record, path.split("."))
        return record


def parse_override(description: object) -> tuple[str, RecordOverride]:
    """Parses decoded JSON into a record ID and its override. Raises OverrideError."""
    if not isinstance(description, dict) or not isinstance(description.get("id"), str):
        raise OverrideError("id: expected the id of a record.")
    fields, drop = description.get("fields", {}), description.get("drop", [])
    if not isinstance(fields, dict):
        raise OverrideError("fields: expected an object of fields and their values.")
    if not isinstance(drop, list) or not all(isinstance(name, str) for name in drop):
        raise OverrideError("drop: expected a list of fields to leave out.")
    return description["id"], RecordOverride(fields=fields, drop=tuple(drop))


def _set_field(record: Record, path: list[str], value: Any) -> Record:
    name, *nested_path = path
    nested = record.get(name)
    if nested_path:
        value = _set_field(nested if isinstance(nested, dict) else {}, nested_path, value)
    return record | {name: value}


def _drop_field(record: Record, path: list[str]) -> Record:
    name, *nested_path = path
    nested = record.get(name)
    if nested_path and isinstance(nested, dict):
        return record | {name: _drop_field(nested, nested_path)}
    return {key: value for key, value in record.items() if nested_path or key != name}
