"""What keeping accounts adds to a login: `python -m bench.accounts`."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from app import create_app
from clever_login.models import Role, RoleRecord, User
from clever_login.school import migrate
from clever_login.school.accounts import find_or_create
from clever_login.school.database import database
from tests import sites

PEOPLE = 300


def somebody(number: int) -> User:
    """One of many, with an id from before v3."""
    role = RoleRecord(role=Role.STUDENT, legacy_id=f"before{number}")
    return User(id=f"person{number}", district_id="district", first_name="Ada", roles=(role,))


def milliseconds(user: User) -> float:
    """How long one login spends on its account."""
    began = time.perf_counter()
    find_or_create(user)
    return (time.perf_counter() - began) * 1000


def measure(name: str, folder: Path, database_url: str | None) -> None:
    """Everybody's first login, then everybody's second."""
    settings = sites.settings_for(
        "http://localhost:3000", "http://127.0.0.1:3001", folder, database_url=database_url
    )
    app = create_app(settings)
    with app.test_request_context():  # outside a request, each use opens a connection
        migrate.upgrade(database().engine)
        for which in ("first login", "later login"):
            took = sorted(milliseconds(somebody(number)) for number in range(PEOPLE))
            median, slow = statistics.median(took), took[int(PEOPLE * 0.95)]
            print(f"{name:<12} {which:<12} median {median:5.2f} ms, 95 of 100 under {slow:5.2f} ms")
    database(app).close()


if __name__ == "__main__":
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        measure("SQLite", Path(one), None)
        with sites.postgres_server(Path(other)) as url:
            measure("PostgreSQL", Path(other), url)
