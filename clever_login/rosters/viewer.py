"""The logged-in user, as roster queries need them."""

from __future__ import annotations

from dataclasses import dataclass

from flask import abort

from clever_login.auth.sessions import current_user
from clever_login.clever.models import Role


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """The logged-in user in one of their roles. `person_id` is the id in table `people`."""

    person_id: str
    role: Role | None

    def with_values(self, **values: object) -> dict[str, object]:
        """Return the parameters of a `visibility` query: the viewer, and the query's own values."""
        return {"viewer": self.person_id, **values}


def current_viewer() -> Viewer:
    """Return the logged-in user in their current role. Aborts with 401 if nobody is logged in."""
    user = current_user() or abort(401)
    return Viewer(person_id=user.person_id or abort(401), role=user.role)
