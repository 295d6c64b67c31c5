"""Checks of the place where sessions are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clever_login.checks.case import Case
from clever_login.checks.findings import Finding, fault, ok, warning
from clever_login.checks.limits import connections
from clever_login.errors import StoreUnavailable
from clever_login.file_store import FILE, FileStore
from clever_login.redis_store import RedisStore, connect
from clever_login.settings import DEVELOPMENT
from clever_login.store import Store, probe

FOLDER = Path(__file__).resolve().parent.parent.parent / "instance" / "store"  # beside app.py


def store(case: Case) -> Iterator[Finding]:
    """A value is kept, read and forgotten again."""
    yield from _redis(case) if case.settings.redis_url else _files(case)


def _files(case: Case) -> Iterator[Finding]:
    if not (FOLDER / FILE).exists():
        yield _to_be_made()  # by the app: made here, it might be another user's
    elif why := _why_not(FileStore(FOLDER)):
        yield fault(
            "store",
            f"Sessions are kept in instance/store, which does not keep any: {why}.",
            "Run this as the user who runs the app, and let that user own the folder.",
        )
    else:
        yield ok("store", "Sessions are kept in a file, and a value came back whole.")
    if case.platform:
        yield warning(
            "store",
            f"On {case.platform} the file with the sessions is lost at each restart, and a second"
            " machine has another one.",
            "Add a Redis and set REDIS_URL, or people are logged out again and again.",
        )
    elif case.settings.app_env != DEVELOPMENT:
        yield ok("store", "A file is enough for one machine; more than one need REDIS_URL.")


def _to_be_made() -> Finding:
    parent = next(each for each in (FOLDER, *FOLDER.parents) if each.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return ok("store", "Sessions will be kept in a file; the app makes it.")
    return fault(
        "store",
        "Sessions are to be kept in instance/store, and that folder cannot be made.",
        "Let the user who runs the app write in the app's folder, or set REDIS_URL.",
    )


def _redis(case: Case) -> Iterator[Finding]:
    if why := _why_not(RedisStore(case.settings)):
        yield fault(
            "store",
            f"Redis at REDIS_URL does not keep a value, so nobody can log in: {why}.",
            "Is it running, is the password right, does it want rediss://? On Heroku set "
            "REDIS_TLS_VERIFY to off.",
        )
        return
    yield ok("store", "Sessions are kept in Redis, and a value came back whole.")
    yield from _tls(case)
    with connect(case.settings) as client:
        yield from _when_full(client)
        yield from _limit(case, client)


def _why_not(place: Store) -> str | None:
    """Why a throwaway value is not kept, None if it is; /readyz asks the same."""
    try:
        probe(place)
    except StoreUnavailable as error:
        return str(error)
    return None


def _tls(case: Case) -> Iterator[Finding]:
    lax = not case.settings.redis_tls_verify
    if lax and case.platform == "Heroku":
        yield ok("store", "REDIS_TLS_VERIFY is off, as Heroku's Redis needs it.")
    elif lax:
        yield warning(
            "store",
            "REDIS_TLS_VERIFY is off: whoever stands between could pass for your Redis.",
            "Set it to on, unless your host's Redis has a self-signed certificate.",
        )


def _when_full(client: Any) -> Iterator[Finding]:
    """What Redis does when its memory is full; a host that does not tell is left in peace."""
    try:
        memory = client.info("memory")
    except Exception:  # noqa: BLE001 # hosts forbid INFO in many ways, and it is an extra
        return
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy != "noeviction":
        yield warning(
            "store",
            f"When its memory is full, this Redis drops values ({policy}): people would be "
            "logged out at random.",
            "Set its maxmemory-policy to noeviction and watch its memory.",
        )


def _limit(case: Case, client: Any) -> Iterator[Finding]:
    """How many connections this Redis takes, where it tells."""
    try:
        told = client.info("clients").get("maxclients") or client.config_get("maxclients")
        limit = int(told["maxclients"] if isinstance(told, dict) else told)
    except Exception:  # noqa: BLE001 # hosts forbid INFO and CONFIG in many ways
        return
    yield connections(case, "store", "Redis", "REDIS_CONNECTIONS", limit)
