"""The steps of a sync: each is one transaction, and in each the lease is ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from clever_login.school.lease import Hold

T = TypeVar("T")
PAUSES = (0.1, 0.5, 2.0, 5.0)  # seconds; a login may be in the way, but only for a moment


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A connection and a lease."""

    connection: Connection
    hold: Hold

    def do(self, work: Callable[[Connection], T]) -> T:
        """Do something in one transaction, and again when it got into a jam.

        `work` must leave the same rows if it is done twice.
        """
        for pause in PAUSES:
            try:
                return self._once(work)
            except (IntegrityError, OperationalError):  # a login came first, a deadlock, a lock
                if self.connection.invalidated:
                    raise
            time.sleep(pause)
        return self._once(work)

    def _once(self, work: Callable[[Connection], T]) -> T:
        with self.connection.begin():
            self.hold.renew(self.connection)
            return work(self.connection)
