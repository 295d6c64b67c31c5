"""Pooled connections: tested before reuse, and closed after an idle time."""

from __future__ import annotations

import time
from threading import Lock, Timer
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

PING_AFTER_IDLE_SECONDS = 1  # a connection used more recently is not tested
PING_TIMEOUT_SECONDS = 1


class IdleConnections:
    """Closes connections that were idle for `seconds`, so that an idle process holds none."""

    def __init__(self, engine: Engine, seconds: float) -> None:
        self._dialect, self._seconds = engine.dialect, seconds
        self._lock = Lock()
        self._idle_since: dict[ConnectionPoolEntry, float] = {}
        self._timer: Timer | None = None
        event.listen(engine, "checkin", self._on_checkin)
        event.listen(engine, "checkout", self._on_checkout)
        event.listen(engine, "engine_disposed", self._on_dispose)

    def _on_checkin(self, connection: object | None, record: ConnectionPoolEntry) -> None:
        if connection is not None:
            with self._lock:
                self._idle_since[record] = time.monotonic()
                self._schedule_close()

    def _on_checkout(self, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        """Test a connection that was idle: the server may have closed it.

        A connection that was just in use is not tested, because that costs each page a round trip.
        """
        with self._lock:
            idle_since = self._idle_since.pop(record, None)
        if connection.closed:  # by a concurrent `_close_idle`
            raise DisconnectionError
        if idle_since is not None and time.monotonic() - idle_since >= PING_AFTER_IDLE_SECONDS:
            self._ping(connection)

    def _ping(self, connection: Any) -> None:
        limit, connection.limit = connection.limit, PING_TIMEOUT_SECONDS
        try:
            self._dialect.do_ping(connection)
        except self._dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # the pool opens a new connection
        connection.limit = limit

    def _schedule_close(self) -> None:
        """Start a timer for when the connection that has been idle longest is due."""
        if self._timer is None and self._idle_since:
            delay = min(self._idle_since.values()) + self._seconds - time.monotonic()
            self._timer = Timer(max(delay, 0.1), self._close_idle)
            self._timer.daemon = True
            self._timer.start()

    def _close_idle(self) -> None:
        with self._lock:
            self._timer = None
            cutoff = time.monotonic() - self._seconds
            for record in [
                entry for entry, idle_since in self._idle_since.items() if idle_since <= cutoff
            ]:
                del self._idle_since[record]
                record.invalidate()  # the entry stays in the pool and reconnects at its next use
            self._schedule_close()

    def _on_dispose(self, _engine: Engine) -> None:
        with self._lock:
            self._idle_since.clear()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
