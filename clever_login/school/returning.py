"""Whoever comes back as ever: their account, found and kept up to date in one statement.

Nearly every login is such a one. Where there is anything to decide, `school.accounts` decides it.
"""

from __future__ import annotations

from sqlalchemy import JSON, bindparam, exists, func, update
from sqlalchemy.orm import aliased

from clever_login.accounts import Account
from clever_login.models import User
from clever_login.school.database import database
from clever_login.school.tables import PROVIDER, District, Moment, Person, now

_OTHER, _NOW = aliased(Person), bindparam("moment", type_=Moment())
_LEFT = exists().where(District.id == bindparam("district"), District.archived_at.is_not(None))
_SEVERAL = exists().where(
    _OTHER.provider == PROVIDER,
    _OTHER.clever_id.in_(bindparam("legacy_ids", expanding=True)),
    _OTHER.id != Person.id,
)
# The same as `accounts` writes: what Clever has not said stays as it was.
_AS_EVER = (
    update(Person)
    .where(Person.provider == PROVIDER, Person.clever_id == bindparam("this_id"))
    .where(Person.district_id == bindparam("district"), Person.archived_at.is_(None))
    .where(~_LEFT, ~_SEVERAL)
    .values(
        roles=func.coalesce(bindparam("said_roles", type_=JSON(none_as_null=True)), Person.roles),
        first_name=func.coalesce(bindparam("said_first_name"), Person.first_name),
        last_name=func.coalesce(bindparam("said_last_name"), Person.last_name),
        email=func.coalesce(bindparam("said_email"), Person.email),
        first_login=func.coalesce(Person.first_login, _NOW),
        last_login=_NOW,
    )
    .returning(Person.id, Person.preferred_name)
)


def as_ever(user: User) -> Account | None:
    """Their account, seen now; None unless they are known, in this district, and not archived.

    None, too, where another row would have to become one with theirs. Raises DatabaseUnavailable.
    """
    if user.district_id is None:
        return None
    values = {
        "this_id": user.id,
        "district": user.district_id,
        "legacy_ids": [*user.legacy_ids],
        "said_roles": [record.role.value for record in user.roles] or None,
        "said_first_name": user.first_name or None,
        "said_last_name": user.last_name or None,
        "said_email": user.email or None,
        "moment": now(),
    }
    with database().one_statement() as connection:
        found = connection.execute(_AS_EVER, values).one_or_none()
    return Account(id=found.id, preferred_name=found.preferred_name) if found else None
