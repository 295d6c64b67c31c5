"""How many connections to PostgreSQL are kept, and how long anything may take, by purpose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """All times are seconds."""

    pool: int  # connections kept for the next use; 0: each is closed after its use
    wait: float  # for a connection that is free, of the pool or of the server
    connect: int  # for a new connection
    statement: float  # for the answer to one statement
    idle: float = 300  # after which a connection that is kept is closed


def page_limits(connections: int) -> ConnectionLimits:
    """For requests: somebody waits, and a page is a few statements of milliseconds."""
    return ConnectionLimits(pool=connections, wait=3, connect=3, statement=4)


# For commands: a sync, a migration, retention. One connection, which is closed after its use.
COMMAND_LIMITS = ConnectionLimits(pool=0, wait=10, connect=10, statement=15 * 60)
# For the doctor, whose patience is ten seconds for each check.
DOCTOR_LIMITS = ConnectionLimits(pool=0, wait=0, connect=3, statement=4)
