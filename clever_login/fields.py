"""One record of a roster, read by field: what is missing is None, what is wrong names no child."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clever_login.errors import CleverUnexpected
from clever_login.values import is_identifier, text


class Quiet:
    """Frozen records show their kind and id alone: no child's data gets into a log by accident."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self, 'id', '...')})"


class Fields:
    """A JSON object of Clever's; each method raises CleverUnexpected for a value of another kind.

    Fields that we do not know are never looked at.
    """

    def __init__(self, kind: str, data: object, owner: str = "") -> None:
        self._kind, self._owner = kind, owner
        if not isinstance(data, Mapping):
            raise self._wrong("")
        self._data: Mapping[str, Any] = data

    @classmethod
    def of_record(cls, kind: str, data: object) -> tuple[str, Fields]:
        """A whole record and its id, which every record has."""
        found = cls(kind, data)
        record_id = found._data.get("id")
        if not is_identifier(record_id):
            raise CleverUnexpected(f"a record of the kind {kind} has no id")
        found._owner = record_id
        return record_id, found

    def text(self, key: str) -> str | None:
        """Text fit for a page, or None."""
        value = self._data.get(key)
        if value is not None and not isinstance(value, str):
            raise self._wrong(key)
        return text(value)

    def texts(self, keys: str) -> dict[str, str | None]:
        """Several texts by their names, which have blanks between them."""
        return {key: self.text(key) for key in keys.split()}

    def is_text(self, key: str) -> bool:
        """Whether it is a string: some fields are an object in one version, text in another."""
        return isinstance(self._data.get(key), str)

    def id(self, key: str) -> str | None:
        """The id of another record, or None."""
        value = self._data.get(key)
        if value in (None, ""):
            return None
        if not is_identifier(value):
            raise self._wrong(key)
        return value

    def ids(self, key: str) -> tuple[str, ...]:
        """Ids of other records, each once."""
        values = self._list(key)
        if not all(map(is_identifier, values)):
            raise self._wrong(key)
        return tuple(dict.fromkeys(values))

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        found = map(text, self._list(key))
        return tuple(word for word in found if word)

    def flag(self, key: str) -> bool | None:
        """True, false or not said."""
        value = self._data.get(key)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(key)
        return value

    def moment(self, key: str) -> datetime | None:
        """A time with its zone; a day alone is that day's start in UTC."""
        value = self.text(key)
        if value is None:
            return None
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise self._wrong(key) from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def inner(self, key: str) -> Fields:
        """An object inside this one; one without fields when there is none."""
        value = self._data.get(key)
        if not isinstance(value, dict | None):
            raise self._wrong(key)
        return Fields(self._kind, value or {}, self._owner)

    def as_it_is(self, key: str) -> Mapping[str, object]:
        """An object whose fields are the district's own: they are passed on as they are."""
        return self.inner(key)._data

    def each(self, key: str) -> tuple[Fields, ...]:
        """A list of objects."""
        return tuple(Fields(self._kind, value, self._owner) for value in self._list(key))

    def __contains__(self, key: str) -> bool:
        return self._data.get(key) is not None

    def _list(self, key: str) -> list[Any]:
        value = self._data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(key)
        return value

    def _wrong(self, key: str) -> CleverUnexpected:
        what = f"field {key!r}" if key else "part"
        return CleverUnexpected(f"the {self._kind} {self._owner} has a {what} of another kind")
