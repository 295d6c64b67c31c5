"""Values that no field of Clever's expects, for tests of every field."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def _nested(depth: int) -> Any:
    return [_nested(depth - 1)] if depth else "Canary"


ODD: tuple[Any, ...] = (
    *(7, -1, 1.5, True, False, 10**300, float("inf"), float("nan"), None, [], {}, ""),
    *(
        [None],
        [7, "Canary list"],
        {"Canary": {"b": [None]}},
        [{}, None],
        [[]],
        [[7], {}],
        _nested(90),
    ),
    *("true", "NaN", "null", "\x00", "Canary\x00text", "\ud800x", "x" * 5000, "8/15/2019"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2025-02-30", "2025-W60-1"),
    *(
        "9999-12-31T23:59:59Z",
        "not a Canary date",
        "🧒🏽" * 200,
        "\u202eCanary",
        "../me",
        "5e" * 12,
    ),
    *(["5e" * 12, 7], ["5e" * 12] * 2, [["5e" * 12]], {"id": "5e" * 12}),
)


def any_value() -> st.SearchStrategy[Any]:
    """Return a strategy for everything that JSON can say, with the values above among it.

    No object has a name that is a field of Clever's.
    """
    texts = st.text(st.characters(exclude_categories=())) | st.datetimes().map(str)
    plain = st.none() | st.booleans() | st.integers() | st.floats() | texts
    names = texts.map(lambda text: f"Canary {text}")
    nested = st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    )
    return st.sampled_from(ODD) | nested
