"""What every SQLite file of the app needs when several processes open it."""

from __future__ import annotations

import time
from typing import Any

BUSY_CODES = {5, 6}  # primary result codes: SQLITE_BUSY and SQLITE_LOCKED


def enable_wal(connection: Any, wait_seconds: float) -> None:
    """Switch a connection to write-ahead logging.

    SQLite does not wait for other processes in this statement, so several processes that start at
    the same time would fail. Retries for `wait_seconds`, then raises SQLite's error.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except Exception as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in BUSY_CODES
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
