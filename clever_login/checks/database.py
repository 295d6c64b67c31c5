"""Checks of the database of accounts and rosters, where the app keeps any."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from clever_login.checks.case import Case
from clever_login.checks.findings import Finding, fault, ok, warning
from clever_login.checks.limits import connections
from clever_login.checks.storage import FOLDER
from clever_login.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from clever_login.school.database import Database

NAME = "database"


def database(case: Case) -> Iterator[Finding]:
    """The database answers, and its tables are those of this code."""
    if find_spec("clever_login.school") is None:
        return  # deleted: the app keeps nobody
    if case.settings.database_url:
        yield from _postgresql(case)
        return
    yield ok(NAME, "Accounts are kept in a SQLite file, which the app brings up to date itself.")
    if case.platform:
        yield warning(
            NAME,
            f"On {case.platform} files vanish at each restart, and everybody's account with them.",
            "Add a PostgreSQL and set DATABASE_URL.",
        )


def _postgresql(case: Case) -> Iterator[Finding]:
    from clever_login.school.database import Database, url_of
    from clever_login.school.limits import CHECKS

    url = url_of(case.settings, Path(FOLDER))
    database = Database(url, case.settings.database_connections, jobs=CHECKS)
    try:
        yield from _asked(case, database)
    finally:
        database.close()


def _asked(case: Case, database: Database) -> Iterator[Finding]:
    """What /readyz asks, too: whether it can be written to; then how many connections it takes."""
    try:
        database.probe()
    except DatabaseUnavailable as error:
        yield _fault(str(error))
        return
    yield ok(NAME, "Accounts are kept in PostgreSQL, whose tables are those of this version.")
    if limit := database.most_connections():
        yield connections(case, NAME, "PostgreSQL", "DATABASE_CONNECTIONS", limit)


def _fault(why: str) -> Finding:
    says = f"{why[0].upper()}{why[1:].partition(':')[0]}, so nobody gets in."
    if "db upgrade" in why:
        from clever_login.school.migrate import HOW

        does = f"{HOW.capitalize()}, and let the host do it at each release."
        return fault(NAME, says, does)
    return fault(NAME, says, "See that PostgreSQL runs and that DATABASE_URL is right.")
