"""Write clever.md anew from the table of versions: `.venv-test/bin/python -m docs.write_clever`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from clever_login.api.versions import VERSIONS, Kind, Version, standing_sentence

PAGE = Path(__file__).parent / "clever.md"
NOT_THERE = "–"
PAGING = frozenset({"limit", "starting_after", "ending_before"})
Row = tuple[str, Callable[[Version], str]]

HEAD = """\
# What serves what, in each version of Clever's API

`CLEVER_API_VERSION` picks the version. The app reads all that differs from one table,
`clever_login/api/versions.py`, and this page is made of the same table: change it there, then run
`.venv-test/bin/python -m docs.write_clever`. Paths stand after `https://api.clever.com/<version>`.
Fields that a newer version adds are never an error.
"""
READERS = """\
What a token reaches: a person's token reaches `/me`, that person's record and the district, and
with Secure Sync the schools. A district's token reaches `/districts`, and with Secure Sync every
list below and the events. Both may make 1,200 requests a minute.
"""
PARAMETERS = """\
The query parameters that each list knows. Paging is `limit` (10,000 at most), `starting_after` and
`ending_before`; `count` stands alone, so it counts no role; `where` is a query in JSON.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(text(), encoding="utf-8")


def text() -> str:
    """The whole page as it must be."""
    standings = "".join(f"- {standing_sentence(each)}\n" for each in VERSIONS.values())
    parts = [
        HEAD,
        f"## Standing\n\n{standings}",
        "## A login\n\n" + _table(LOGIN),
        "## A district\n\n" + _table(DISTRICT),
        f"## Lists\n\n{READERS}\n" + _table(_list_row(kind) for kind in Kind),
        f"{PARAMETERS}\n" + _table(_parameter_row(k) for k in Kind),
        "## Events\n\n" + _table(EVENTS),
    ]
    return "\n".join(parts)


def _table(rows: Iterable[Row]) -> str:
    lines = ["| | " + " | ".join(VERSIONS) + " |", "|---" * (len(VERSIONS) + 1) + "|"]
    for name, cell in rows:
        lines.append(f"| {name} | " + " | ".join(map(cell, VERSIONS.values())) + " |")
    return "\n".join(lines) + "\n"


def _code(*words: str) -> str:
    return " ".join(f"`{word}`" for word in words) or NOT_THERE


def _parameters(names: frozenset[str]) -> str:
    words = ["paging"] if names >= PAGING else []
    others = sorted(names - PAGING if words else names)
    return " ".join(words + [_code(*others)] * bool(others)) or NOT_THERE


def _list_row(kind: Kind) -> Row:
    def cell(version: Version) -> str:
        listing = version.lists.get(kind)
        if listing is None:
            return "in sections" if _inside_sections(kind, version) else NOT_THERE
        return _code(listing.path + (f"?role={listing.role}" if listing.role else ""))

    return kind.replace("_", " "), cell


def _parameter_row(kind: Kind) -> Row:
    def cell(version: Version) -> str:
        listing = version.lists.get(kind)
        return _parameters(listing.parameters) if listing else NOT_THERE

    return kind.replace("_", " "), cell


def _inside_sections(kind: Kind, version: Version) -> bool:
    return kind in {Kind.COURSES, Kind.TERMS} and version.courses_in_sections


def _school_fields(kind: Kind) -> Row:
    primary = kind is not Kind.STAFF

    def cell(version: Version) -> str:
        inside = f"roles.{kind.removesuffix('s')}." if version.roles_in_record else ""
        names = ["school"] * primary + ["schools"] * (kind in version.school_lists)
        return _code(*(inside + name for name in names))

    return f"schools of {kind}", cell


LOGIN: tuple[Row, ...] = (
    ("who it is", lambda _: "`/me`: `data.id`"),
    ("who it is, with OIDC", lambda v: f"the id token's `{'sub' if v.one_id else 'user_id'}`"),
    ("its role, with OIDC", lambda _: "the id token's `user_type`"),
    (
        "the role of this login",
        lambda v: "`/userinfo`: `user_type`" if v.roles_in_record else "`/me`: `type`",
    ),
    ("all roles", lambda v: "the record's `roles`" if v.roles_in_record else NOT_THERE),
    ("the person's record", lambda v: _code(*v.user_paths.values())),
    ("ids", lambda v: "one a person" if v.one_id else "one a role"),
    ("former ids", lambda v: "`roles.<role>.legacy_id`" if v.one_id else NOT_THERE),
    (
        "who connected the person",
        lambda v: "`/me`: `data.authorized_by`" if v.authorized_by else NOT_THERE,
    ),
    *map(_school_fields, (Kind.STUDENTS, Kind.TEACHERS, Kind.STAFF)),
    ("own sections of a Library teacher", lambda v: _code(v.own_sections)),
    ("students of those", lambda v: _code(v.section_students)),
)
DISTRICT: tuple[Row, ...] = (
    ("name", lambda _: "`/districts/{id}`"),
    ("state, last sync, error", lambda v: _code(v.status_path)),
    (
        "launch and pause",
        lambda v: _code("launch_date", "pause_start", "pause_end") if v.pauses else NOT_THERE,
    ),
)
EVENTS: tuple[Row, ...] = (
    ("path", lambda _: "`/events`"),
    ("query parameters", lambda v: _parameters(v.event_parameters)),
    ("first word of the type", lambda v: _code(*v.event_records)),
    ("second word of the type", lambda _: _code("created", "updated", "deleted")),
)

if __name__ == "__main__":
    main()
