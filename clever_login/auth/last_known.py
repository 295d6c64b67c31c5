"""What the library's tables know of a user whose record Clever does not send at this login."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from flask_babel import format_timedelta
from flask_babel import lazy_gettext as _
from flask_babel.speaklater import LazyString

from clever_login.clever.models import Role
from clever_login.sessions.user_session import CurrentUser

# The age of the data, and what a child reads. Nobody tells the app the time zone of the browser, so
# no sentence says "this morning".
NOTES = (
    (timedelta(hours=2), _("This is from a little while ago.")),
    (timedelta(hours=18), _("This is from some hours ago.")),
    (timedelta(hours=42), _("This is from a day ago.")),
    (timedelta(days=14), _("This is from some days ago.")),
)
OLDEST_NOTE = _("This is from a long time ago.")


@dataclass(frozen=True, kw_only=True)
class LastKnown:
    """A user's name and roles in the database, and when Clever last confirmed them.

    `roles` is empty for an archived user, whose roles no sync keeps up to date.
    """

    first_name: str
    last_name: str
    roles: tuple[Role, ...]
    as_of: datetime

    def complete(self, user: CurrentUser) -> CurrentUser:
        """Return the user with what Clever did not send. A role that Clever sent stays alone."""
        roles = user.roles or self.roles
        return replace(
            user,
            first_name=user.first_name or self.first_name,
            last_name=user.last_name or self.last_name,
            roles=roles,
            role=user.role or _widest(roles),
            as_of=self.as_of.timestamp(),
        )


def age_note(as_of: float) -> LazyString:
    """Return a sentence for a child on how old the data is. `as_of` is in seconds since 1970."""
    return next((note for limit, note in NOTES if _age(as_of) < limit), OLDEST_NOTE)


def time_ago(as_of: float) -> str:
    """Return how old the data is for an adult, such as "3 hours ago"."""
    return str(format_timedelta(-_age(as_of), "minute", add_direction=True))


def _age(as_of: float) -> timedelta:
    """Return the age of the data. Another machine's clock may be ahead."""
    return max(datetime.now(UTC) - datetime.fromtimestamp(as_of, UTC), timedelta(seconds=1))


def _widest(roles: Iterable[Role]) -> Role | None:
    return max(roles, key=list(Role).index, default=None)
