"""Single values of Clever's JSON: an id, a text, an object, or CleverUnexpected."""

from __future__ import annotations

import re
from typing import Any, TypeGuard

from clever_login.errors import CleverUnexpected

Json = dict[str, Any]
_UNFIT = re.compile(
    r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
LONGEST_TEXT = 255  # Clever sets no limit and advises to plan for this
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_identifier(value: object) -> TypeGuard[str]:
    """Whether this may be an id of Clever's: letters, digits, `-` and `_` only."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def identifier(value: object) -> str:
    """An id that may enter a path, or CleverUnexpected."""
    if not is_identifier(value):
        raise CleverUnexpected("an id of Clever's has characters that no id has")
    return value


def optional_id(value: object) -> str | None:
    """An id that may be missing; CleverUnexpected as above."""
    return None if value in (None, "") else identifier(value)


def text(value: object) -> str | None:
    """A string with something in it, made fit for a page, else None.

    Lone surrogates (JSON allows them), control characters and those that turn the direction of
    the text around are dropped, and what is longer than any name is cut.
    """
    if not isinstance(value, str):
        return None
    return _UNFIT.sub("", value[: 2 * LONGEST_TEXT]).strip()[:LONGEST_TEXT] or None


def inner(body: Json, key: str) -> Json:
    """The object inside an answer that Clever guarantees, or CleverUnexpected."""
    value = body.get(key)
    if not isinstance(value, dict):
        raise CleverUnexpected(f"an answer of Clever's has no {key!r} object")
    return value


def listed(body: Json) -> list[object]:
    """The records of a list, each of which stands in a `data` of its own.

    CleverUnexpected for an answer without a list; what an entry is, is for the reader to say.
    """
    items = body.get("data")
    if not isinstance(items, list):
        raise CleverUnexpected("a list of Clever's is none")
    return [each.get("data") if isinstance(each, dict) else None for each in items]
