"""Checks of the database of accounts and rosters, where the app keeps any."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from clever_login.checks.case import Case
from clever_login.checks.findings import Finding, fault, ok, warning
from clever_login.checks.storage import FOLDER

NAME = "database"


def database(case: Case) -> Iterator[Finding]:
    """The database answers, and its tables are those of this code."""
    if find_spec("clever_login.school") is None:
        return  # deleted: the app keeps nobody
    if case.settings.database_url:
        yield _postgresql(case)
        return
    yield ok(NAME, "Accounts are kept in a SQLite file, which the app brings up to date itself.")
    if case.platform:
        yield warning(
            NAME,
            f"On {case.platform} files vanish at each restart, and everybody's account with them.",
            "Add a PostgreSQL and set DATABASE_URL.",
        )


def _postgresql(case: Case) -> Finding:
    from sqlalchemy.exc import OperationalError

    from clever_login.school import migrate
    from clever_login.school.database import url_of
    from clever_login.school.engines import make_engine

    engine = make_engine(url_of(case.settings, Path(FOLDER)))
    try:
        behind = migrate.behind(engine)
    except OperationalError:
        says = "PostgreSQL at DATABASE_URL does not answer, or takes no such user: nobody gets in."
        return fault(NAME, says, "Is it running, are name and password right?")
    finally:
        engine.dispose()
    if behind:
        does = f"{migrate.HOW.capitalize()}, and let the host do it at each release."
        return fault(NAME, f"{behind.split(':')[0].capitalize()}.", does)
    return ok(NAME, "Accounts are kept in PostgreSQL, whose tables are those of this version.")
