"""Parses values and records of Clever's JSON.

The `parse_` and `require_` functions return one value or raise CleverUnexpected. RecordReader reads
the fields of a roster record: only the record's own id is required. A missing value is None. So is
a value that cannot be parsed, which is counted by field name and never quoted.
"""

from __future__ import annotations

import re
import unicodedata
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
# Characters that show nothing: by their Unicode category, and fillers that count as letters or
# symbols (Hangul, Braille).
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Mn", "Me", "Zl", "Zp", "Zs"}
_INVISIBLE_CHARACTERS = set("\u115f\u1160\u2800\u3164\uffa0")
MAX_TEXT_LENGTH = 255  # Clever sets no limit and advises to plan for this
_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_valid_id(value: object) -> TypeGuard[str]:
    """Whether the value is a possible Clever id: 1 to 64 letters, digits, `-`, and `_`."""
    return isinstance(value, str) and _ID_PATTERN.fullmatch(value) is not None


def parse_id(value: object) -> str:
    """Return an id that is safe in a URL path.

    Raises CleverUnexpected for any other value.
    """
    if not is_valid_id(value):
        raise CleverUnexpected("an id from Clever contains invalid characters")
    return value


def parse_optional_id(value: object) -> str | None:
    """Return an id, or None for a missing one.

    Raises CleverUnexpected like `parse_id`.
    """
    return None if value in (None, "") else parse_id(value)


def parse_text(value: object) -> str | None:
    """Return a visible string that is safe to show on a page, else None.

    Lone surrogates (JSON allows them), control characters, and characters that change the direction
    of the text are removed. The text is cut after MAX_TEXT_LENGTH characters.
    """
    if not isinstance(value, str):
        return None
    text = _UNPRINTABLE_PATTERN.sub("", value[: 2 * MAX_TEXT_LENGTH]).strip()[:MAX_TEXT_LENGTH]
    return text if text and (text.isascii() or any(map(_is_visible, text))) else None


def _is_visible(character: str) -> bool:
    category = unicodedata.category(character)
    return category not in _INVISIBLE_CATEGORIES and character not in _INVISIBLE_CHARACTERS


def require_object(body: Json, key: str) -> Json:
    """Return an object that Clever guarantees in a response.

    Raises CleverUnexpected if it is missing.
    """
    value = body.get(key)
    if not isinstance(value, dict):
        raise CleverUnexpected(f"Clever's response has no {key!r} object")
    return value


def unwrap_records(body: Json) -> list[object]:
    """Return the records of a list, each of which is wrapped in a `data` object.

    Raises CleverUnexpected for a response without a list. The caller checks the entries.
    """
    items = body.get("data")
    if not isinstance(items, list):
        raise CleverUnexpected("Clever's list response has no `data` array")
    return [item.get("data") if isinstance(item, dict) else None for item in items]


# Numeric fields: the number 5 can only mean "5". Numbers that a school assigns are excluded: their
# leading zeros would be lost.
_NUMBERS = frozenset({"grade", "graduation_year", "high_grade", "low_grade", "period"})
_ACROSS = ("reference to another district was", "references to another district were")
_ABSENT = (None, "")  # the values that mean "no value" in some version


class ReprWithoutData:
    """A mixin whose repr is the type and id only, which keeps children's data out of logs."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self, 'id', '...')})"


@dataclass
class ReadReport:
    """Counts of values and records that were not understood or left out: no data, only names."""

    values: Counter[str] = field(default_factory=Counter)  # by field, such as student.dob
    skipped: Counter[str] = field(default_factory=Counter)  # whole records, by kind and reason
    # References to other districts, by field.
    other_districts: Counter[str] = field(default_factory=Counter)

    def update(self, other: ReadReport) -> None:
        """Add the counts of another report."""
        self.values.update(other.values)
        self.skipped.update(other.skipped)
        self.other_districts.update(other.other_districts)

    def copy(self) -> ReadReport:
        """Return an independent copy."""
        report = ReadReport()
        report.update(self)
        return report

    def reset(self, to: ReadReport) -> None:
        """Restore the counts of another report, before a list is read a second time."""
        self.values, self.skipped = to.values.copy(), to.skipped.copy()
        self.other_districts = to.other_districts.copy()

    def sentences(self) -> list[str]:
        """Return sentences for an operator, none if everything was understood."""
        kinds = (
            (self.values, "value was", "values were", "not understood"),
            (self.skipped, "record was", "records were", "skipped"),
            (self.other_districts, *_ACROSS, "left out"),
        )
        return [
            f"{counts.total()} {singular if counts.total() == 1 else plural} {outcome}: "
            f"{format_counts(counts)}."
            for counts, singular, plural, outcome in kinds
            if counts
        ]


def format_counts(counts: Counter[str]) -> str:
    """Format names with their counts, largest first: `student.dob (2), section.grade (1)`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} ({number})" for name, number in ordered)


class RecordReader:
    """Reads the fields of a JSON object from Clever. Unknown fields are ignored.

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
        """Return the id and a reader of a whole record.

        Raises NoUsableId for a record without a valid id.
        """
        record_id = data.get("id") if isinstance(data, Mapping) else None
        if not is_valid_id(record_id):
            raise NoUsableId(f"a {kind} record has no id")
        return record_id, cls(kind, data, report)

    def text(self, key: str) -> str | None:
        """Return text that is safe to show on a page, or None."""
        value = self._data.get(key)
        if value is None:
            return None
        if key in _NUMBERS and not isinstance(value, str):
            value = _digits(value)
        if not isinstance(value, str):
            self._odd(key)
        return parse_text(value)

    def texts(self, keys: str) -> dict[str, str | None]:
        """Return several texts by name. `keys` separates the names by spaces."""
        return {key: self.text(key) for key in keys.split()}

    def is_text(self, key: str) -> bool:
        """Whether the value is a string.

        Some fields are an object in one version and a string in another.
        """
        return isinstance(self._data.get(key), str)

    def is_list(self, key: str) -> bool:
        """Whether the value is a list or absent. Any other value says nothing about the members."""
        return isinstance(self._data.get(key), list) or self._data.get(key) in _ABSENT

    def is_object(self, key: str) -> bool:
        """Whether the value is an object or absent."""
        return isinstance(self._data.get(key), Mapping) or self._data.get(key) in _ABSENT

    def id(self, key: str) -> str | None:
        """Return the id of another record, or None."""
        value = self._data.get(key)
        if value in _ABSENT:
            return None
        if is_valid_id(value):
            return value
        self._odd(key)
        return None

    def ids(self, key: str) -> tuple[str, ...]:
        """Return the ids of other records, without duplicates."""
        return tuple(dict.fromkeys(self._fitting(key, is_valid_id)))

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        texts = map(parse_text, self._fitting(key, lambda value: isinstance(value, str)))
        return tuple(word for word in texts if word)

    def flag(self, key: str) -> bool | None:
        """Return True, False, or None if not given."""
        value = self._data.get(key)
        if value is None or isinstance(value, bool):
            return value
        self._odd(key)
        return None

    def moment(self, key: str) -> datetime | None:
        """Return a time with its time zone. ISO 8601 only.

        A date without a time is the start of that day in UTC.
        """
        value = self.text(key)
        if value is None:
            return None
        try:
            time = datetime.fromisoformat(value)
            time = time if time.tzinfo else time.replace(tzinfo=UTC)
            time.astimezone(UTC)  # fails for the first and last days of the calendar
        except (ValueError, OverflowError):
            self._odd(key)
            return None
        return time

    def inner(self, key: str, label: str | None = None) -> RecordReader:
        """Return a reader of a nested object, without fields if there is none."""
        value = self._data.get(key)
        label = label or f"{self._label}.{key}"
        return RecordReader(label, {} if value in _ABSENT else value, self._report)

    def as_it_is(self, key: str) -> Mapping[str, object]:
        """Return an object whose fields are defined by the district, unchanged."""
        return self.inner(key)._data

    def each(self, key: str) -> tuple[RecordReader, ...]:
        """Return readers of a list of objects. A single object counts as a list with one entry."""
        value = self._data.get(key)
        values = [value] if isinstance(value, dict) else self._list(key)
        label = f"{self._label}.{key}"
        return tuple(
            RecordReader(label, value, self._report)
            for value in values
            if self._is_object(key, value)
        )

    def holds(self, key: str) -> bool:
        """Whether the value is an object. Any other value is counted as not understood."""
        value = self._data.get(key)
        return value not in _ABSENT and self._is_object(key, value)

    def __contains__(self, key: str) -> bool:
        return self._data.get(key) is not None

    def _fitting(self, key: str, fits: Callable[[object], bool]) -> list[Any]:
        values = self._list(key)
        fitting = [value for value in values if fits(value)]
        if odd := len(values) - len(fitting):
            self._report.values[f"{self._label}.{key}"] += odd
        return fitting

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
    """Return a small whole number as text, else None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_small_integer = (
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10_000
    )
    return str(value) if is_small_integer else None
