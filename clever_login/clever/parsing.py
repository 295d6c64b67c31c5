"""Single values of Clever's JSON: an id, a text, an object, or CleverUnexpected.

One record of a roster, read by field: a value that makes no sense costs that field alone.

Only a record's own id is strict. Whatever else is missing is None, and so is what is not
understood, which is counted by the name of the field and never quoted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeGuard

from clever_login.errors import CleverUnexpected, NoUsableId

Json = dict[str, Any]
_UNPRINTABLE_PATTERN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
MAX_TEXT_LENGTH = 255  # Clever sets no limit and advises to plan for this
_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_valid_id(value: object) -> TypeGuard[str]:
    """Whether this may be an id of Clever's: letters, digits, `-` and `_` only."""
    return isinstance(value, str) and _ID_PATTERN.fullmatch(value) is not None


def parse_id(value: object) -> str:
    """An id that may enter a path, or CleverUnexpected."""
    if not is_valid_id(value):
        raise CleverUnexpected("an id of Clever's has characters that no id has")
    return value


def parse_optional_id(value: object) -> str | None:
    """An id that may be missing; CleverUnexpected as above."""
    return None if value in (None, "") else parse_id(value)


def parse_text(value: object) -> str | None:
    """A string with something in it, made fit for a page, else None.

    Lone surrogates (JSON allows them), control characters and those that turn the direction of
    the text around are dropped, and what is longer than any name is cut.
    """
    if not isinstance(value, str):
        return None
    return (
        _UNPRINTABLE_PATTERN.sub("", value[: 2 * MAX_TEXT_LENGTH]).strip()[:MAX_TEXT_LENGTH] or None
    )


def require_object(body: Json, key: str) -> Json:
    """The object inside an answer that Clever guarantees, or CleverUnexpected."""
    value = body.get(key)
    if not isinstance(value, dict):
        raise CleverUnexpected(f"an answer of Clever's has no {key!r} object")
    return value


def unwrap_records(body: Json) -> list[object]:
    """The records of a list, each of which stands in a `data` of its own.

    CleverUnexpected for an answer without a list; what an entry is, is for the reader to say.
    """
    items = body.get("data")
    if not isinstance(items, list):
        raise CleverUnexpected("a list of Clever's is none")
    return [each.get("data") if isinstance(each, dict) else None for each in items]


# Fields whose value is a number by nature, so that 5 can only mean "5". A school's own numbers
# are not among them: their leading zeros would be lost.
_NUMBERS = frozenset({"grade", "graduation_year", "high_grade", "low_grade", "period"})
_ACROSS = ("reference to another district was", "references to another district were")
_ABSENT = (None, "")  # what stands for no value, in one version or another


class ReprWithoutData:
    """Frozen records show their kind and id alone: no child's data gets into a log by accident."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self, 'id', '...')})"


@dataclass
class ReadReport:
    """What was not understood, or left out, while records were read: names and numbers only."""

    values: Counter[str] = field(default_factory=Counter)  # by field, such as student.dob
    skipped: Counter[str] = field(default_factory=Counter)  # whole records, by kind and reason
    outside: Counter[str] = field(default_factory=Counter)  # what is another district's, by field

    def update(self, other: ReadReport) -> None:
        """Add what another report has."""
        self.values.update(other.values)
        self.skipped.update(other.skipped)
        self.outside.update(other.outside)

    def copy(self) -> ReadReport:
        """The same numbers, which stay as they are."""
        found = ReadReport()
        found.update(self)
        return found

    def reset(self, to: ReadReport) -> None:
        """Go back to what another report has: a list is read a second time."""
        self.values, self.skipped = to.values.copy(), to.skipped.copy()
        self.outside = to.outside.copy()

    def sentences(self) -> list[str]:
        """What an operator needs to know; nothing when everything was understood."""
        told = (
            (self.values, "value was", "values were", "not understood"),
            (self.skipped, "record was", "records were", "skipped"),
            (self.outside, *_ACROSS, "left out"),
        )
        return [
            f"{counts.total()} {one if counts.total() == 1 else many} {what}: {listed(counts)}."
            for counts, one, many, what in told
            if counts
        ]


def listed(counts: Counter[str]) -> str:
    """Names with their numbers, the largest first: `student.dob (2), section.grade (1)`."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{name} ({number})" for name, number in ordered)


class RecordReader:
    """A JSON object of Clever's. Fields that we do not know are never looked at.

    `label` names the object in reports, such as student or section.term.
    """

    __slots__ = ("_data", "_label", "_report")

    def __init__(self, label: str, data: object, report: ReadReport | None = None) -> None:
        self._label = label
        self._report = ReadReport() if report is None else report
        if not isinstance(data, Mapping):
            self._report.values[label] += 1
            data = {}
        self._data: Mapping[str, Any] = data

    @classmethod
    def of_record(
        cls, kind: str, data: object, report: ReadReport | None = None
    ) -> tuple[str, RecordReader]:
        """A whole record and its id; NoUsableId for what has none."""
        record_id = data.get("id") if isinstance(data, Mapping) else None
        if not is_valid_id(record_id):
            raise NoUsableId(f"a record of the kind {kind} has no id")
        return record_id, cls(kind, data, report)

    def text(self, key: str) -> str | None:
        """Text fit for a page, or None."""
        value = self._data.get(key)
        if value is None:
            return None
        if key in _NUMBERS and not isinstance(value, str):
            value = _digits(value)
        if not isinstance(value, str):
            self._odd(key)
        return parse_text(value)

    def texts(self, keys: str) -> dict[str, str | None]:
        """Several texts by their names, which have blanks between them."""
        return {key: self.text(key) for key in keys.split()}

    def is_text(self, key: str) -> bool:
        """Whether it is a string: some fields are an object in one version, text in another."""
        return isinstance(self._data.get(key), str)

    def is_list(self, key: str) -> bool:
        """Whether it is a list, or absent: what is neither says nothing about who is on it."""
        return isinstance(self._data.get(key), list) or self._data.get(key) in _ABSENT

    def id(self, key: str) -> str | None:
        """The id of another record, or None."""
        value = self._data.get(key)
        if value in _ABSENT:
            return None
        if is_valid_id(value):
            return value
        self._odd(key)
        return None

    def ids(self, key: str) -> tuple[str, ...]:
        """Ids of other records, each once."""
        return tuple(dict.fromkeys(self._fitting(key, is_valid_id)))

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        found = map(parse_text, self._fitting(key, lambda value: isinstance(value, str)))
        return tuple(word for word in found if word)

    def flag(self, key: str) -> bool | None:
        """True, false or not said."""
        value = self._data.get(key)
        if value is None or isinstance(value, bool):
            return value
        self._odd(key)
        return None

    def moment(self, key: str) -> datetime | None:
        """A time with its zone; a day alone is that day's start in UTC. ISO 8601 only."""
        value = self.text(key)
        if value is None:
            return None
        try:
            found = datetime.fromisoformat(value)
            found = found if found.tzinfo else found.replace(tzinfo=UTC)
            found.astimezone(UTC)  # the first and last days of the calendar have none
        except (ValueError, OverflowError):
            self._odd(key)
            return None
        return found

    def inner(self, key: str, label: str | None = None) -> RecordReader:
        """An object inside this one; one without fields when there is none."""
        value = self._data.get(key)
        label = label or f"{self._label}.{key}"
        return RecordReader(label, {} if value in _ABSENT else value, self._report)

    def as_it_is(self, key: str) -> Mapping[str, object]:
        """An object whose fields are the district's own: they are passed on as they are."""
        return self.inner(key)._data

    def each(self, key: str) -> tuple[RecordReader, ...]:
        """A list of objects; an object in the place of a list is its only entry."""
        value = self._data.get(key)
        values = [value] if isinstance(value, dict) else self._list(key)
        label = f"{self._label}.{key}"
        return tuple(
            RecordReader(label, value, self._report)
            for value in values
            if self._is_object(key, value)
        )

    def holds(self, key: str) -> bool:
        """Whether there is an object; what is something else is not understood."""
        value = self._data.get(key)
        return value not in _ABSENT and self._is_object(key, value)

    def __contains__(self, key: str) -> bool:
        return self._data.get(key) is not None

    def _fitting(self, key: str, fits: Callable[[object], bool]) -> list[Any]:
        values = self._list(key)
        found = [value for value in values if fits(value)]
        if odd := len(values) - len(found):
            self._report.values[f"{self._label}.{key}"] += odd
        return found

    def _list(self, key: str) -> list[Any]:
        if not self.is_list(key):
            self._odd(key)
            return []
        return self._data.get(key) or []

    def _is_object(self, key: str, value: object) -> bool:
        if isinstance(value, dict):
            return True
        self._odd(key)
        return False

    def _odd(self, key: str) -> None:
        self._report.values[f"{self._label}.{key}"] += 1


def _digits(value: object) -> str | None:
    """A small whole number as text."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10_000
    return str(value) if whole else None
