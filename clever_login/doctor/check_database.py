"""Checks of the database of accounts and rosters, if the app has one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from clever_login.doctor.check_connections import POSTGRESQL, check_connections
from clever_login.doctor.check_storage import STORE_FOLDER, doctor_database
from clever_login.doctor.environment import DoctorEnvironment
from clever_login.doctor.findings import Finding, failure, ok, warning
from clever_login.errors import DatabaseUnavailable, missing_extra
from clever_login.storage.private_files import SQLITE_SCHEME, database_file

if TYPE_CHECKING:
    from clever_login.db.database import Database

CHECK_NAME = "database"


def check_connection_and_tables(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check that the database responds and that its tables match this code."""
    if sentence := missing_extra("rosters", "DATABASE_URL"):
        yield _extra_missing(environment, sentence)
        return
    if not (environment.settings.database_url or "sqlite:").startswith("sqlite:"):
        yield from _check_postgresql(environment)
        return
    yield ok(
        CHECK_NAME, "Accounts are stored in a SQLite file. The app upgrades its tables itself."
    )
    if environment.platform:
        yield warning(
            CHECK_NAME,
            f"{environment.platform} deletes the app's files at each restart, so all accounts "
            "would "
            "be lost.",
            "Add a PostgreSQL database and set DATABASE_URL.",
        )
    yield from _check_sqlite_rosters(environment)


def _extra_missing(environment: DoctorEnvironment, sentence: str) -> Finding:
    if not environment.settings.database_url:
        return ok(CHECK_NAME, "The packages for a database are not installed: no accounts.")
    message, _, fix = sentence.partition(" Run: ")
    return failure(CHECK_NAME, message, f"Run {fix}, or unset DATABASE_URL.")


def _check_postgresql(environment: DoctorEnvironment) -> Iterator[Finding]:
    with doctor_database(environment) as database:
        yield from _check_database(environment, database)


def _check_database(environment: DoctorEnvironment, database: Database) -> Iterator[Finding]:
    """Run the probe that /readyz runs, then check the limit on connections."""
    try:
        database.probe()
    except DatabaseUnavailable as error:
        yield _database_failure(str(error))
        return
    yield ok(
        CHECK_NAME,
        "Accounts are stored in PostgreSQL, and its tables match this version of the app.",
    )
    yield _check_role(database)
    usage = database.connection_usage()
    yield from check_connections(environment, CHECK_NAME, POSTGRESQL, *(usage or (None, None)))
    yield from _check_rosters(database)


def _check_role(database: Database) -> Finding:
    """Say what the app's role may do beyond reading and writing rows. One role for all is fine."""
    from clever_login.db.roles.privileges import unneeded_privileges

    with database.read() as connection:
        unneeded = unneeded_privileges(connection)
    if not unneeded:
        return ok(CHECK_NAME, "The app's database role cannot create, change, or drop tables.")
    return ok(
        CHECK_NAME,
        f"The app's database role may also {' and '.join(unneeded)}, which only the release "
        'command needs. To use two roles, see docs/deploying.md, "A role that cannot change '
        'tables".',
    )


def _check_sqlite_rosters(environment: DoctorEnvironment) -> Iterator[Finding]:
    file = database_file(environment.settings.database_url, STORE_FOLDER.parent)
    if not file or not file.is_file():
        return  # nothing was synced, and the doctor must not create the file
    from clever_login.db.database import Database

    database = Database(f"{SQLITE_SCHEME}{file}", 1)
    try:
        yield from _check_rosters(database)
    finally:
        database.close()


def _check_rosters(database: Database) -> Iterator[Finding]:
    """Report signal receivers that ended the last sync of a district, and missing events."""
    from sqlalchemy import func, select
    from sqlalchemy.exc import DBAPIError

    from clever_login.db.models import District

    receiver, seen_at = District.failed_receiver, District.event_seen_at
    failed = select(receiver, func.count()).where(receiver.is_not(None)).group_by(receiver)
    is_synced = District.connected & District.full_read_at.is_not(None)
    synced = select(func.count(), func.count(seen_at)).where(is_synced)
    try:
        with database.engine.connect() as connection:
            failures = connection.execute(failed).all()
            number_of_districts, with_events = connection.execute(synced).one()
    except DBAPIError:  # the app upgrades its SQLite file when it starts
        return
    for name, number in failures:
        districts = "one district" if number == 1 else f"{number} districts"
        yield warning(
            CHECK_NAME,
            f"The last sync of {districts} ended early, at {name}.",
            "Correct this signal receiver of the app. The next sync repeats the changes.",
        )
    if with_events < number_of_districts:
        yield _events_missing(number_of_districts - with_events, number_of_districts)


def _events_missing(without_events: int, number: int) -> Finding:
    """Return a finding that is no warning, because after the first sync there are no events yet."""
    districts = "the only district" if number == 1 else f"{without_events} of {number} districts"
    return ok(
        CHECK_NAME,
        f"Clever has sent no events for {districts} so far, so the sync reads the whole roster "
        "once a day, and a change may arrive a day late. If it stays that way, enable events in "
        "Clever's dashboard, under Settings > Integrations.",
    )


def _database_failure(reason: str) -> Finding:
    sentence = f"{reason[0].upper()}{reason[1:]}".partition(": ")[0]
    if "db grants" in reason:
        fix = f"As the owner of the tables, {reason.partition(': ')[2]}."
        return failure(CHECK_NAME, f"{sentence}, so the app answers 503 where it needs it.", fix)
    message = f"{sentence}, so nobody can log in."
    if "db upgrade" in reason:
        from clever_login.db.migrate import UPGRADE_HINT

        fix = f"{UPGRADE_HINT.capitalize()}, and make your host run it at each release."
        return failure(CHECK_NAME, message, fix)
    return failure(
        CHECK_NAME, message, "Check that PostgreSQL is running and that DATABASE_URL is right."
    )
