"""Every field of every record that the library reads, and what it must make of any value.

The fields are those that the simulator sends and those that a parser asks for, so a field that is
new in a parser is among them. The types are those of Clever's API descriptions.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from clever_login.api_versions import VERSIONS
from clever_login.clever.parsing import ReadReport, is_valid_id, parse_text
from clever_login.clever.people import Person, PersonRole
from clever_login.clever.records import (
    Course,
    DistrictRecord,
    Resource,
    SchoolRecord,
    Section,
    Term,
)
from clever_simulator import create_app
from clever_simulator.config import default_config
from clever_simulator.data_api.index import DistrictIndex
from clever_simulator.data_api.serializers import serialize_record
from clever_simulator.history.event_log import take_snapshot

Json = dict[str, Any]
Path = tuple[str, ...]
Reader = Callable[[Any, ReadReport], Any]


def _person(role: PersonRole | None) -> Reader:
    return lambda data, report: Person.from_api(data, role, report)


READERS: dict[str, tuple[str, Reader]] = {  # by list: the label in reports, and the parser
    "districts": ("district", lambda data, to: DistrictRecord.from_api(data, data, to)),
    "schools": ("school", SchoolRecord.from_api),
    "sections": ("section", Section.from_api),
    "courses": ("course", Course.from_api),
    "terms": ("term", Term.from_api),
    "resources": ("resource", Resource.from_api),
    "users": ("user", _person(None)),
    "students": ("student", _person(PersonRole.STUDENT)),
    "teachers": ("teacher", _person(PersonRole.TEACHER)),
    "school_admins": ("staff", _person(PersonRole.STAFF)),
    "district_admins": ("district_admin", _person(PersonRole.DISTRICT_ADMIN)),
    "contacts": ("contact", _person(PersonRole.CONTACT)),
}
EMPTY: tuple[Any, ...] = (None, "", [], {})

ANY_ID = "5e" * 12
SAMPLES: dict[str, Any] = {
    "text": "Sample",
    "number": "5",
    "id": ANY_ID,
    "moment": "2020-01-02T03:04:05Z",
    "flag": True,
    "ids": [ANY_ID],
    "words": ["Sample"],
    "object": {"sample": "Sample"},
    "objects": [{"sample": "Sample"}],
    "name": "Sample",
    "contact": {"sample": "Sample"},
}
OTHER_ID = "5a" * 12
PROBES: dict[str, Any] = {  # other values that fit
    "text": "Probe",
    "number": "6",
    "id": OTHER_ID,
    "moment": "2021-01-02T03:04:05Z",
    "flag": False,
    "ids": [OTHER_ID],
    "words": ["Probe"],
    "object": {},
    "objects": [{"student": OTHER_ID}],
    "name": "Probe",
    "contact": OTHER_ID,
}
TYPE_BY_NAME = {
    name: kind
    for kind, names in {
        "number": "grade graduation_year high_grade low_grade period",
        "id": "course district legacy_id school student teacher term_id",
        "moment": "created end_date last_attendance_sync last_clever_sync last_modified"
        " last_sync launch_date pause_end pause_start start_date updated",
        "flag": "instant_login synced_in_lms",
        "ids": "schools students teachers",
        "words": "login_methods roles",
        "object": "contact credentials disability district_admin ext lms_status location"
        " preferred_name principal staff term",
        "objects": "enrollments student_relationships",
        "contact": "district_contact",
    }.items()
    for name in names.split()
}
ROLE_NAMES = frozenset(PersonRole)


def type_of(label: str, path: Path) -> str:
    """Return the type of a field. A few names mean different things in different places."""
    match path:
        case ("name",) if label == "user" or label in ROLE_NAMES:
            return "name"  # before v3, a contact has one text
        case ("district_contact", "name"):
            return "object"
        case ("roles",) if label == "user":
            return "object"
        case ("roles", role) if role in ROLE_NAMES:
            return "object"
        case _:
            return TYPE_BY_NAME.get(path[-1], "text")


def not_understood(kind: str, value: Any) -> int:
    """Return how many values a field of this type must report as not understood."""
    if kind in {"ids", "words"} and isinstance(value, list):
        fits: Callable[[Any], bool] = is_valid_id if kind == "ids" else _is_str
        return sum(not fits(entry) for entry in value)
    if kind == "objects" and isinstance(value, list):
        return sum(not isinstance(entry, dict) for entry in value)
    return 0 if value is None or _FITS[kind](value) else 1


def _is_str(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return value == "" or isinstance(value, dict)


def _is_number(value: Any) -> bool:
    is_whole = isinstance(value, int | float) and not isinstance(value, bool)
    return _is_str(value) or (is_whole and 0 <= value < 10_000 and value == int(value))


def _is_moment(value: Any) -> bool:
    if not _is_str(value):
        return False
    text = parse_text(value)
    try:
        time = datetime.fromisoformat(text) if text else datetime.now(UTC)
        (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return True


_FITS: dict[str, Callable[[Any], bool]] = {
    "text": _is_str,
    "number": _is_number,
    "id": lambda value: value == "" or is_valid_id(value),
    "moment": _is_moment,
    "flag": lambda value: isinstance(value, bool),
    "ids": lambda value: value == "",
    "words": lambda value: value == "",
    "object": _is_object,
    "objects": _is_object,
    "name": lambda value: isinstance(value, str | dict),
    "contact": lambda value: isinstance(value, str | dict),
}


@dataclass(frozen=True)
class Template:
    """A record with all fields of its kind, and the parser of that kind.

    `label` names the kind in reports, such as student or section.
    """

    versions: list[str]
    label: str
    read: Reader
    record: Json

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """The fields other than the id, including nested ones, but not the district's own."""
        return tuple(path for path in _paths(self.record) if path != ("id",))

    def name_of(self, path: Path) -> str:
        """Return a field's name in reports. A role's fields are those of the role."""
        role = path[1] if self.label == "user" and path[0] == "roles" and len(path) > 2 else ""
        return ".".join((role, *path[2:]) if role else (self.label, *path))

    def parsed(self, record: Json) -> tuple[dict[str, Any], ReadReport]:
        """Parse a record, and return its fields by name, and the report."""
        report = ReadReport()
        return flat(self.read(record, report)), report

    @cached_property
    def without_each(self) -> dict[Path, dict[str, Any]]:
        """What is parsed if a field is absent, by field."""
        return {path: self.parsed(without(self.record, path))[0] for path in self.paths}

    @cached_property
    def filled_by(self) -> dict[Path, set[str]]:
        """The names of the parsed fields that a field's value can change, by field."""
        whole, _ = self.parsed(self.record)
        filled = {}
        for path, absent in self.without_each.items():
            probe = with_value(self.record, path, PROBES[type_of(self.label, path)])
            filled[path] = changed(whole, absent) | changed(whole, self.parsed(probe)[0])
        return filled

    def asks_for(self, record: Json, path: Path) -> bool:
        """Whether the parser looks at this field of the record."""
        asked: set[Path] = set()
        self.read(_recording(record, (), asked), ReadReport())
        return path in asked


def templates() -> list[Template]:
    """Return a template for each kind of record that differs between the versions."""
    state = create_app(default_config("http://localhost")).extensions["clever_simulator"]
    indexes = [state.data.index(district) for district in state.data.directory.districts]
    found: dict[tuple[str, tuple[Path, ...]], Template] = {}
    for version in VERSIONS:
        for kind, records in _records_by_kind(version, indexes).items():
            label, read = READERS[kind]
            record = _complete(label, read, _merged(records))
            same = found.setdefault(
                (label, tuple(_paths(record))), Template([], label, read, record)
            )
            same.versions.append(version)
    return list(found.values())


def _records_by_kind(version: str, indexes: list[DistrictIndex]) -> dict[str, list[Json]]:
    """Return the simulator's records of each kind in one version."""
    records: dict[str, list[Json]] = {}
    for index in indexes:
        for (kind, _id), snapshot in take_snapshot(version, index).items():
            records.setdefault(kind, []).append(snapshot.record)
        status = serialize_record(version, index, "status", index.district, "secure_sync")
        records["districts"].append(status)
    return records


def _merged(records: Iterable[Json]) -> Json:
    """Return a record with all fields that some record has."""
    merged: Json = {}
    for record in records:
        _merge(merged, record)
    return merged


def _merge(into: Json, record: Json) -> None:
    for name, value in record.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        elif into.get(name) in EMPTY:
            into[name] = copy.deepcopy(value)


def _complete(label: str, read: Reader, record: Json) -> Json:
    """Add a sample of each field that the parser asks for and the simulator does not send."""
    while True:
        asked: set[Path] = set()
        read(_recording(record, (), asked), ReadReport())
        missing = [path for path in sorted(asked) if _value(record, path) in EMPTY]
        missing = [path for path in missing if path != ("student_relationships",)]
        if not missing:
            return record
        for path in missing:
            kind = type_of(label, path)
            record = with_value(record, path, copy.deepcopy(SAMPLES[kind]))


class _Recording(dict[str, Any]):
    """An object of Clever's that notes which of its fields are read."""

    path: Path
    asked: set[Path]

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add((*self.path, key))
        return super().get(key, default)


def _recording(value: Any, path: Path, asked: set[Path]) -> Any:
    if not isinstance(value, dict):
        return value
    wrapped = _Recording(
        {key: _recording(inner, (*path, key), asked) for key, inner in value.items()}
    )
    wrapped.path, wrapped.asked = path, asked
    return wrapped


def _paths(record: Json, prefix: Path = ()) -> Iterator[Path]:
    for name, value in sorted(record.items()):
        yield (*prefix, name)
        if isinstance(value, dict):
            yield from _paths(value, (*prefix, name))


def _value(record: Json, path: Path) -> Any:
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def with_value(record: Json, path: Path, value: Any) -> Json:
    """Return a copy of the record with one field replaced."""
    name, *inner = path
    if inner:
        nested = record.get(name)
        value = with_value(nested if isinstance(nested, dict) else {}, tuple(inner), value)
    return record | {name: value}


def without(record: Json, path: Path) -> Json:
    """Return a copy of the record without one field."""
    name, *inner = path
    if inner:
        return record | {name: without(record[name], tuple(inner))}
    return {key: value for key, value in record.items() if key != name}


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return the fields of a parsed record by name. A list of ids or words is one field."""
    if is_dataclass(value):
        inner = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, tuple) and value and hasattr(value[0], "role"):
        inner = {str(entry.role): entry for entry in value}
    else:
        return {name: dict(value) if isinstance(value, Mapping) else value}
    return {
        path: leaf
        for key, entry in inner.items()
        for path, leaf in flat(entry, f"{name}.{key}").items()
    }


def changed(fields_: Json, others: Json) -> set[str]:
    """Return the names of the parsed fields that differ."""
    return {name for name in fields_ | others if fields_.get(name) != others.get(name)}
