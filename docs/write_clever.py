"""Writes clever.md from the API versions table: `.venv-test/bin/python -m docs.write_clever`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from clever_login.api_versions import VERSIONS, ApiVersion, RecordKind, support_summary

PAGE = Path(__file__).parent / "clever.md"
NOT_THERE = "–"
PAGING = frozenset({"limit", "starting_after", "ending_before"})
Row = tuple[str, Callable[[ApiVersion], str]]

HEAD = """\
# Clever API versions

This page is for developers who read Clever's API. After reading it, you know which endpoint and
which field the app uses in each version.

`CLEVER_API_VERSION` selects the version. The table `clever_login/api_versions.py` defines all
differences between the versions, and this page is generated from that table. To change the page,
change the table, then run `.venv-test/bin/python -m docs.write_clever`. Paths are relative to
`https://api.clever.com/<version>`. The app ignores fields that a newer version adds.
"""
TOKENS = """\
A user's token can read `/me`, the user's record, and the district, and with Secure Sync the
schools. A district's token can read `/districts`, and with Secure Sync all lists below and the
events. The rate limit is 1,200 requests per minute for each token.
"""
PARAMETERS = """\
The query parameters of each list: *paging* means `limit` (at most 10,000), `starting_after`, and
`ending_before`. `count` cannot be combined with other parameters, so it does not count by role.
`where` is a query in JSON.
"""


def main() -> None:
    """Writes the page."""
    PAGE.write_text(text(), encoding="utf-8")


def text() -> str:
    """Returns the whole page."""
    standings = "".join(f"- {support_summary(version)}\n" for version in VERSIONS.values())
    parts = [
        HEAD,
        f"## Status of each version\n\n{standings}",
        "## Fields and endpoints of a login\n\n" + _table(LOGIN),
        "## Fields and endpoints of a district\n\n" + _table(DISTRICT),
        f"## Lists\n\n{TOKENS}\n" + _table(_list_row(kind) for kind in RecordKind),
        f"{PARAMETERS}\n" + _table(_parameter_row(k) for k in RecordKind),
        "## Events\n\n" + _table(EVENTS),
    ]
    return "\n".join(parts)


def _table(rows: Iterable[Row]) -> str:
    lines = ["| | " + " | ".join(VERSIONS) + " |", "|---" * (len(VERSIONS) + 1) + "|"]
    for name, cell in rows:
        lines.append(f"| {name} | " + " | ".join(map(cell, VERSIONS.values())) + " |")
    return "\n".join(lines) + "\n"


def _code(*texts: str) -> str:
    return " ".join(f"`{word}`" for word in texts) or NOT_THERE


def _parameters(names: frozenset[str]) -> str:
    words = ["paging"] if names >= PAGING else []
    others = sorted(names - PAGING if words else names)
    return " ".join(words + [_code(*others)] * bool(others)) or NOT_THERE


def _list_row(kind: RecordKind) -> Row:
    def cell(version: ApiVersion) -> str:
        listing = version.lists.get(kind)
        if listing is None:
            return "in sections" if _inside_sections(kind, version) else NOT_THERE
        return _code(listing.path + (f"?role={listing.role}" if listing.role else ""))

    return kind.replace("_", " "), cell


def _parameter_row(kind: RecordKind) -> Row:
    def cell(version: ApiVersion) -> str:
        listing = version.lists.get(kind)
        return _parameters(listing.parameters) if listing else NOT_THERE

    return kind.replace("_", " "), cell


def _inside_sections(kind: RecordKind, version: ApiVersion) -> bool:
    return kind in {RecordKind.COURSES, RecordKind.TERMS} and version.courses_in_sections


def _school_fields(kind: RecordKind) -> Row:
    primary = kind is not RecordKind.STAFF

    def cell(version: ApiVersion) -> str:
        inside = f"roles.{kind.removesuffix('s')}." if version.roles_in_record else ""
        names = ["school"] * primary + ["schools"] * (kind in version.school_lists)
        return _code(*(inside + name for name in names))

    return f"schools of {kind}", cell


LOGIN: tuple[Row, ...] = (
    ("user ID", lambda _: "`/me`: `data.id`"),
    ("user ID, with OIDC", lambda v: f"the id token's `{'sub' if v.one_id else 'user_id'}`"),
    ("role, with OIDC", lambda _: "the id token's `user_type`"),
    (
        "role of this login",
        lambda v: "`/userinfo`: `user_type`" if v.roles_in_record else "`/me`: `type`",
    ),
    ("all roles", lambda v: "the record's `roles`" if v.roles_in_record else NOT_THERE),
    ("user record", lambda v: _code(*v.user_paths.values())),
    ("IDs", lambda v: "one per user" if v.one_id else "one per role"),
    ("previous IDs", lambda v: "`roles.<role>.legacy_id`" if v.one_id else NOT_THERE),
    (
        "who authorized the app",
        lambda v: "`/me`: `data.authorized_by`" if v.authorized_by else NOT_THERE,
    ),
    *map(_school_fields, (RecordKind.STUDENTS, RecordKind.TEACHERS, RecordKind.STAFF)),
    ("sections of a Library teacher", lambda v: _code(v.own_sections)),
    ("students of those sections", lambda v: _code(v.section_students)),
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
    ("event type, first part", lambda v: _code(*v.event_records)),
    ("event type, second part", lambda _: _code("created", "updated", "deleted")),
)

if __name__ == "__main__":
    main()
