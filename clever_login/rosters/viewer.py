"""Whoever is logged in, as the queries of the school need them."""

from __future__ import annotations

from dataclasses import dataclass

from flask import abort

from clever_login.auth.sessions import current_user
from clever_login.clever.models import Role


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who asks, and in which of their roles; the id is that of their row in `people`."""

    person_id: str
    role: Role | None

    def with_values(self, **values: object) -> dict[str, object]:
        """What a query of `visibility` is run with: who asks, and the query's own values."""
        return {"viewer": self.person_id, **values}


def current_viewer() -> Viewer:
    """Whoever is logged in, in the role in which they are here; 401 for nobody."""
    user = current_user() or abort(401)
    return Viewer(person_id=user.account_id, role=user.role)
