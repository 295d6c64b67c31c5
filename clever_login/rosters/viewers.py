"""For whom roster queries run: the logged-in user, another person, or an operator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from flask import abort, has_request_context

from clever_login.clever.models import Role
from clever_login.clever.parsing import is_valid_id
from clever_login.sessions.login_session import login_session


class Operator(Enum):
    """Stands in place of a role for code that may read a whole district."""

    OPERATOR = "operator"


ViewerRole = Role | Operator | None


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """A person in one of their roles, or an operator of a district.

    `viewer_id` is the person's id in table `clever_people`, or the district's id for an operator.
    """

    viewer_id: str
    role: ViewerRole

    def with_values(self, **values: object) -> dict[str, object]:
        """Return the parameters of a `visibility` query: the viewer, and the query's own values.

        Raises RuntimeError for an operator inside a request, also if the viewer was created before.
        """
        if self.role is Operator.OPERATOR:
            _refuse_inside_request()
        return {"viewer": self.viewer_id, **values}


def current_viewer() -> Viewer:
    """Return the logged-in user in their current role. Aborts with 401 if nobody is logged in."""
    if not has_request_context():
        raise RuntimeError(
            "Nobody is logged in outside of a request. Pass viewer=rosters.viewer(person_id, role) "
            "or viewer=rosters.operator(district_id)."
        )
    user = login_session().current_user() or abort(401)
    return Viewer(viewer_id=user.person_id or abort(401), role=user.role)


def viewer(person_id: str, role: Role) -> Viewer:
    """Return a person as the viewer, for jobs and mails.

    The database decides what they see: nothing if they are archived or do not have the role.
    Raises ValueError if the id or the role is malformed.
    """
    return Viewer(viewer_id=_checked_id(person_id), role=Role(role))


def operator(district_id: str) -> Viewer:
    """Return a viewer who sees a whole district, for jobs.

    Raises RuntimeError inside a request: a page shows only what its user may see. Raises
    ValueError if the id is malformed.
    """
    _refuse_inside_request()
    return Viewer(viewer_id=_checked_id(district_id), role=Operator.OPERATOR)


def _refuse_inside_request() -> None:
    if has_request_context():
        raise RuntimeError(
            "rosters.operator() sees a whole district, so it works only outside of a request. "
            "In a view, leave out `viewer`: the logged-in user is the viewer."
        )


def _checked_id(value: str) -> str:
    if not is_valid_id(value):
        raise ValueError("a viewer's id has 1 to 64 letters, digits, hyphens, and underscores")
    return value
