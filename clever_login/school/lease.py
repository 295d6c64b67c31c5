"""One sync at a time: a lease that its holder renews, and that runs out when the holder is gone."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, or_, select, update

from clever_login.clocks import MAY_DIFFER_SECONDS
from clever_login.errors import RosterError
from clever_login.school.tables import Lease, now
from clever_login.school.upsert import insert

PERIOD = timedelta(minutes=10)  # longer than any wait for Clever


class Taken(RosterError):
    """Somebody else holds the lease."""


class Lost(RosterError):
    """The lease ran out, and somebody else took it."""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A lease that is ours for as long as every transaction begins with `renew`."""

    name: str
    holder: str

    def renew(self, connection: Connection) -> None:
        """Hold on for another period, at the start of a transaction; Lost when it is too late.

        The row stays locked until the transaction ends, so nobody takes over in the middle.
        """
        ours = (Lease.name == self.name) & (Lease.holder == self.holder)
        renewed = connection.execute(update(Lease).where(ours).values(until=now() + PERIOD))
        if renewed.rowcount != 1:
            raise Lost("Another sync has taken over, because this one stood still for too long.")


@contextmanager
def held(connection: Connection, name: str) -> Iterator[Hold]:
    """Hold a lease while the block runs; Taken when somebody else does."""
    hold = Hold(name=name, holder=_myself())
    with connection.begin():
        _take(connection, hold)
    try:
        yield hold
    finally:
        if not connection.closed and not connection.invalidated:
            with connection.begin():
                connection.execute(delete(Lease).where(Lease.holder == hold.holder))


def _take(connection: Connection, hold: Hold) -> None:
    row = {"name": hold.name, "holder": hold.holder, "until": now() + PERIOD}
    made = insert(connection, Lease).values(row).on_conflict_do_nothing().returning(Lease.name)
    if connection.scalar(made) is not None:
        return
    other = connection.scalar(select(Lease.holder).where(Lease.name == hold.name)) or ""
    free = Lease.until < now() - timedelta(seconds=MAY_DIFFER_SECONDS)
    if _is_dead(other):
        free = or_(free, Lease.holder == other)
    taken = connection.execute(update(Lease).where(Lease.name == hold.name, free).values(row))
    if taken.rowcount != 1:
        raise Taken(f"Another sync is running ({other.rpartition(':')[0]}): this one did nothing.")


def _myself() -> str:
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"


def _is_dead(holder: str) -> bool:
    """Whether it was a process of this machine that is no more, such as one that was killed."""
    host, _, rest = holder.partition(":")
    number = rest.partition(":")[0]
    if host != socket.gethostname()[:40] or not number.isdecimal() or os.name != "posix":
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
