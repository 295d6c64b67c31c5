"""Checks of the session store, of connection limits, and of file permissions in instance/."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clever_login.config import DEVELOPMENT
from clever_login.doctor.environment import DoctorEnvironment
from clever_login.doctor.findings import Finding, failure, ok, warning
from clever_login.errors import StoreUnavailable
from clever_login.storage.base import Store, probe
from clever_login.storage.file_store import FILE_NAME, FileStore
from clever_login.storage.private_files import find_exposed_files
from clever_login.storage.redis_store import RedisStore, create_client

STORE_FOLDER = Path(__file__).resolve().parent.parent.parent / "instance" / "store"  # beside app.py


def check_store(case: DoctorEnvironment) -> Iterator[Finding]:
    """Check that the store keeps a value, returns it and deletes it."""
    yield from _check_redis(case) if case.settings.redis_url else _check_file_store(case)


def _check_file_store(case: DoctorEnvironment) -> Iterator[Finding]:
    if not (STORE_FOLDER / FILE_NAME).exists():
        # The app creates the folder. Created here, it might belong to another user.
        yield _folder_missing_finding()
    elif why := _why_not(FileStore(STORE_FOLDER)):
        yield failure(
            "store",
            "Sessions are stored in instance/store, but a test value could not be stored "
            f"there: {why}.",
            "Run this command as the user who runs the app, and make that user the owner of "
            "the folder.",
        )
    else:
        yield ok("store", "Sessions are stored in a file. Storing and reading a test value worked.")
    if case.platform:
        yield warning(
            "store",
            f"On {case.platform} the session file is lost at each restart, and each machine has "
            "its own.",
            "Add a Redis and set REDIS_URL. Without it, users are logged out again and again.",
        )
    elif case.settings.app_env != DEVELOPMENT:
        yield ok(
            "store", "A session file is enough for one machine. Several machines need REDIS_URL."
        )


def _folder_missing_finding() -> Finding:
    parent = next(each for each in (STORE_FOLDER, *STORE_FOLDER.parents) if each.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return ok("store", "Sessions will be stored in a file, which the app creates.")
    return failure(
        "store",
        "Sessions are stored in instance/store, but that folder cannot be created.",
        "Give the user who runs the app permission to write in the app's folder, or set REDIS_URL.",
    )


def _check_redis(case: DoctorEnvironment) -> Iterator[Finding]:
    if why := _why_not(RedisStore(case.settings)):
        yield failure(
            "store",
            "A test value could not be stored in the Redis at REDIS_URL, so nobody can log "
            f"in: {why}.",
            "Check that Redis is running, that the password is right, and whether the URL must "
            "begin with rediss://. On Heroku, set REDIS_TLS_VERIFY to off.",
        )
        return
    yield ok("store", "Sessions are stored in Redis. Storing and reading a test value worked.")
    yield from _check_redis_tls(case)
    with create_client(case.settings) as client:
        yield from _check_eviction_policy(client)
        yield from _limit(case, client)


def _why_not(place: Store) -> str | None:
    """Return why the store does not keep a throwaway value, or None. /readyz runs this too."""
    try:
        probe(place)
    except StoreUnavailable as error:
        return str(error)
    return None


def _check_redis_tls(case: DoctorEnvironment) -> Iterator[Finding]:
    lax = not case.settings.redis_tls_verify
    if lax and case.platform == "Heroku":
        yield ok("store", "REDIS_TLS_VERIFY is off, as Heroku's Redis requires.")
    elif lax:
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


def _limit(case: DoctorEnvironment, client: Any) -> Iterator[Finding]:
    """Check the number of connections that Redis allows, if it tells."""
    try:
        told = client.info("clients").get("maxclients") or client.config_get("maxclients")
        limit = int(told["maxclients"] if isinstance(told, dict) else told)
    except Exception:  # noqa: BLE001 # hosts forbid INFO and CONFIG in many ways
        return
    yield check_connection_limit(case, "store", "Redis", "REDIS_CONNECTIONS", limit)


DEFAULT_WORKERS = 2  # as in gunicorn.conf.py
COMMANDS = 3  # the release command, a sync and the doctor


def check_connection_limit(
    case: DoctorEnvironment, name: str, server: str, variable: str, limit: int
) -> Finding:
    """Check that the server allows enough connections for a restart, when workers overlap."""
    each = int(getattr(case.settings, variable.lower()))
    workers = _worker_count(case)
    needed = 2 * workers * each + COMMANDS
    if needed <= limit:
        return ok(name, f"{server} allows {limit} connections, and the app needs at most {needed}.")
    most = (limit - COMMANDS) // (2 * workers)
    do = f"Set {variable} to {most}" if most >= 1 else "Set WEB_CONCURRENCY to fewer workers"
    return warning(
        name,
        f"{server} allows {limit} connections. During a restart, this app may need {needed}: "
        f"{variable} ({each}) for each of {workers} old and {workers} new workers, and "
        f"{COMMANDS} for a release, a sync and the doctor. Each additional machine needs the "
        "same number.",
        f"{do}, or choose a plan with more connections.",
    )


def _worker_count(case: DoctorEnvironment) -> int:
    given = case.environ.get("WEB_CONCURRENCY", "").strip()
    return int(given) if given.isdecimal() and int(given) else DEFAULT_WORKERS


FILE_PERMISSIONS = "file permissions"


def check_file_permissions(_case: DoctorEnvironment) -> Iterator[Finding]:
    """Check that other users of this machine cannot read accounts or sessions."""
    instance = STORE_FOLDER.parent
    found = [path.name for path in find_exposed_files(instance)]
    if not found:
        yield ok(
            FILE_PERMISSIONS, "Other users of this machine cannot read the files in instance/."
        )
        return
    yield failure(
        FILE_PERMISSIONS,
        f"Other users of this machine have permissions on {', '.join(found)}: they can read "
        "accounts and sessions, or find out who has an account.",
        "Start the app once as the owner of these files: it corrects the permissions. If that "
        f"fails, run `chmod -R go-rwx {instance}` as the owner.",
    )
