"""Checks of the session store, of connection limits, and of file permissions in instance/."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clever_login.config import DEVELOPMENT
from clever_login.doctor.app_source import find_database_part
from clever_login.doctor.check_connections import REDIS, check_connections
from clever_login.doctor.environment import DoctorEnvironment, app_folder
from clever_login.doctor.findings import Finding, failure, ok, warning
from clever_login.errors import StoreUnavailable, missing_extra
from clever_login.storage.base import Store, probe
from clever_login.storage.file_store import FILE_NAME, FileStore
from clever_login.storage.private_files import database_file, find_exposed_files
from clever_login.storage.redis_store import RedisStore, create_client

if TYPE_CHECKING:
    from clever_login.db.database import Database

STORE_FOLDER = app_folder() / "instance" / "store"


def check_store(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check that the store keeps a value, returns it and deletes it."""
    if environment.settings.redis_url:
        yield from _check_redis(environment)
    elif environment.settings.uses_postgresql and find_database_part(app_folder()) is not False:
        yield from _check_postgresql(environment)
    else:
        yield from _check_file_store(environment)


def _check_postgresql(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check the table clever_store. That the server answers at all, another check reports."""
    if missing_extra("rosters", "DATABASE_URL"):
        return  # the check of the database says so
    from clever_login.db.database_store import DatabaseStore

    with doctor_database(environment) as database:
        if problem := _store_problem(DatabaseStore(lambda: database)):
            yield failure(
                "store",
                "Sessions are stored in PostgreSQL, but a test value could not be stored there, so "
                f"nobody can log in: {problem}.",
                "Correct what the check of the database says, or set REDIS_URL.",
            )
            return
    yield ok(
        "store",
        "Sessions are stored in PostgreSQL, because DATABASE_URL is set and REDIS_URL is not. "
        "Storing and reading a test value worked. Several machines share them.",
    )


@contextmanager
def doctor_database(environment: DoctorEnvironment) -> Iterator[Database]:
    """Return the PostgreSQL database with the time limits of the doctor."""
    from clever_login.db.connection_limits import DOCTOR_LIMITS
    from clever_login.db.database import Database, resolve_url

    url = resolve_url(environment.settings, STORE_FOLDER.parent)
    connections = environment.settings.worker_database_connections
    database = Database(url, connections, jobs=DOCTOR_LIMITS)
    try:
        yield database
    finally:
        database.close()


def _check_file_store(environment: DoctorEnvironment) -> Iterator[Finding]:
    if not (STORE_FOLDER / FILE_NAME).exists():
        # The app creates the folder. Created here, it might belong to another user.
        yield _folder_missing_finding()
    elif problem := _store_problem(FileStore(STORE_FOLDER)):
        yield failure(
            "store",
            "Sessions are stored in instance/store, but a test value could not be stored "
            f"there: {problem}.",
            "Run this command as the user who runs the app, and make that user the owner of "
            "the folder.",
        )
    else:
        yield ok("store", "Sessions are stored in a file. Storing and reading a test value worked.")
    if environment.platform:
        yield warning(
            "store",
            f"On {environment.platform} the session file is lost at each restart, and each "
            "machine has "
            "its own.",
            f"{_how_to_keep_sessions(environment)} Without it, users are logged out again and "
            "again.",
        )
    elif environment.settings.app_env != DEVELOPMENT:
        yield ok(
            "store",
            "A session file is enough for one machine. Several machines need PostgreSQL "
            "(DATABASE_URL) or Redis (REDIS_URL).",
        )


def _how_to_keep_sessions(environment: DoctorEnvironment) -> str:
    """Return the fix for lost files. An app without the library's tables needs Redis."""
    if environment.settings.uses_postgresql:
        return "This app has no tables of the library in DATABASE_URL: add a Redis, set REDIS_URL."
    return "Add a PostgreSQL database and set DATABASE_URL, or add a Redis and set REDIS_URL."


def _folder_missing_finding() -> Finding:
    parent = next(folder for folder in (STORE_FOLDER, *STORE_FOLDER.parents) if folder.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return ok("store", "Sessions will be stored in a file, which the app creates.")
    return failure(
        "store",
        "Sessions are stored in instance/store, but that folder cannot be created.",
        "Give the user who runs the app permission to write in the app's folder, or set REDIS_URL.",
    )


def _check_redis(environment: DoctorEnvironment) -> Iterator[Finding]:
    if problem := _store_problem(RedisStore(environment.settings)):
        yield failure(
            "store",
            "A test value could not be stored in the Redis at REDIS_URL, so nobody can log "
            f"in: {problem}.",
            "Check that Redis is running, that the password is right, and whether the URL must "
            "begin with rediss://. On Heroku, set REDIS_TLS_VERIFY to off.",
        )
        return
    yield ok("store", "Sessions are stored in Redis. Storing and reading a test value worked.")
    yield from _check_redis_tls(environment)
    with create_client(environment.settings) as client:
        yield from _check_eviction_policy(client)
        yield from _check_redis_limit(environment, client)


def _store_problem(store: Store) -> str | None:
    """Return why the store does not keep a throwaway value, or None. /readyz runs this too."""
    try:
        probe(store)
    except StoreUnavailable as error:
        return str(error)
    return None


def _check_redis_tls(environment: DoctorEnvironment) -> Iterator[Finding]:
    verification_off = not environment.settings.redis_tls_verify
    if verification_off and environment.platform == "Heroku":
        yield ok("store", "REDIS_TLS_VERIFY is off, as Heroku's Redis requires.")
    elif verification_off:
        yield warning(
            "store",
            "REDIS_TLS_VERIFY is off, so an attacker on the network could impersonate your Redis.",
            "Set REDIS_TLS_VERIFY to on, unless your host's Redis has a self-signed certificate.",
        )


def _check_eviction_policy(client: Any) -> Iterator[Finding]:
    """Check what Redis does when its memory is full. Skipped if the host does not tell."""
    try:
        memory = client.info("memory")
    except Exception:  # noqa: BLE001 # hosts forbid INFO in many ways, and this check is optional
        return
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy != "noeviction":
        yield warning(
            "store",
            f"When its memory is full, this Redis deletes values ({policy}). Users would be "
            "logged out at random.",
            "Set its maxmemory-policy to noeviction, and monitor its memory.",
        )


def _check_redis_limit(environment: DoctorEnvironment, client: Any) -> Iterator[Finding]:
    """Check the number of connections that Redis has and allows, if it tells."""
    in_use: int | None = None
    allowed: int | None = None
    try:
        clients = client.info("clients")
        reply = clients.get("maxclients") or client.config_get("maxclients")
        allowed = int(reply["maxclients"] if isinstance(reply, dict) else reply)
        in_use = int(clients["connected_clients"])
    except Exception:  # noqa: BLE001 # hosts forbid INFO and CONFIG in many ways
        allowed = None
    yield from check_connections(environment, "store", REDIS, in_use, allowed)


FILE_PERMISSIONS = "file permissions"


def check_file_permissions(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check that other users of this machine cannot read accounts or sessions."""
    instance = STORE_FOLDER.parent
    database = database_file(environment.settings.database_url, instance)
    exposed = [path.name for path in find_exposed_files(instance, database)]
    if not exposed:
        yield ok(
            FILE_PERMISSIONS, "Other users of this machine cannot read the files in instance/."
        )
        return
    yield failure(
        FILE_PERMISSIONS,
        f"Other users of this machine have permissions on {', '.join(exposed)}: they can read "
        "accounts and sessions, or find out who has an account.",
        "Start the app once as the owner of these files: it corrects the permissions. If that "
        f"fails, run `chmod -R go-rwx {instance}` as the owner.",
    )
