"""Measures what accounts add to a login: `python -m bench.scenarios.account_overhead`."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from app import create_app
from clever_login.accounts.account_lookup import find_or_create_account
from clever_login.clever.models import Role, RoleRecord, User
from clever_login.db import migrate
from clever_login.db.database import database
from tests.support import running_app

PEOPLE_COUNT = 300


def make_user(number: int) -> User:
    """Returns one of many users, with an ID from before v3."""
    role = RoleRecord(role=Role.STUDENT, legacy_id=f"before{number}")
    return User(id=f"person{number}", district_id="district", first_name="Ada", roles=(role,))


def login_milliseconds(user: User) -> float:
    """Returns how long one login spends on its account, in milliseconds."""
    began = time.perf_counter()
    find_or_create_account(user)
    return (time.perf_counter() - began) * 1000


def measure_database(name: str, folder: Path, database_url: str | None) -> None:
    """Measures the first login of all users, then the second."""
    settings = running_app.settings_for(
        "http://localhost:3000", "http://127.0.0.1:3001", folder, database_url=database_url
    )
    app = create_app(settings)
    with app.test_request_context():  # outside a request, each use opens a connection
        migrate.upgrade(database().engine)
        for login in ("first login", "later login"):
            milliseconds = sorted(
                login_milliseconds(make_user(number)) for number in range(PEOPLE_COUNT)
            )
            median, slow = statistics.median(milliseconds), milliseconds[int(PEOPLE_COUNT * 0.95)]
            print(f"{name:<12} {login:<12} median {median:5.2f} ms, 95 of 100 under {slow:5.2f} ms")
    database(app).close()


if __name__ == "__main__":
    with TemporaryDirectory() as sqlite_folder, TemporaryDirectory() as postgres_folder:
        measure_database("SQLite", Path(sqlite_folder), None)
        with running_app.run_postgres(Path(postgres_folder)) as url:
            measure_database("PostgreSQL", Path(postgres_folder), url)
