"""PostgreSQL connection pool sizes and timeouts, by purpose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """Pool size and timeouts of one engine. All times are in seconds."""

    pool: int  # connections kept open for reuse; 0: a connection is closed after each use
    wait: float  # for a free connection, from the pool or from the server
    connect: int  # to open a connection
    statement: float  # for the result of one statement
    idle: float = 300  # before a pooled connection is closed


def page_limits(connections: int) -> ConnectionLimits:
    """Return the limits for requests. A user waits, and a page needs a few short statements."""
    return ConnectionLimits(pool=connections, wait=3, connect=3, statement=4)


# For commands (sync, migration, retention): one connection, closed after use.
COMMAND_LIMITS = ConnectionLimits(pool=0, wait=10, connect=10, statement=15 * 60)
# For the doctor, which allows ten seconds for each check by default.
DOCTOR_LIMITS = ConnectionLimits(pool=0, wait=0, connect=3, statement=4)
