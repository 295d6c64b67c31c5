"""The kinds of rows that a sync writes, and their tables."""

from __future__ import annotations

from typing import Any

from clever_login.db import models

RosterModel = (
    type[models.School]
    | type[models.Term]
    | type[models.Course]
    | type[models.Person]
    | type[models.Section]
)
Link = type[models.RoleAssignment] | type[models.Enrollment]
LinkRow = tuple[str, ...]  # the owner's id, the id of what it is linked to, and the role

MODEL_BY_KIND: dict[str, RosterModel] = {
    "schools": models.School,
    "terms": models.Term,
    "courses": models.Course,
    "people": models.Person,
    "sections": models.Section,
}
LINK_BY_KIND: dict[str, Link] = {
    "role_assignments": models.RoleAssignment,
    "enrollments": models.Enrollment,
}
KIND_BY_LINK = {model: kind for kind, model in LINK_BY_KIND.items()}


def clever_id_column(model: RosterModel) -> Any:
    """Return the column that holds the Clever id."""
    return model.clever_id if model is models.Person else model.id
