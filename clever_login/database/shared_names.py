"""What a product's tables and migrations refer to: columns and names of the library's tables."""

from __future__ import annotations

from typing import Any

from clever_login.database.features import is_table_of_a_feature
from clever_login.db.models import Base, Person, School, Section
from clever_login.db.upsert import model_table
from clever_login.db.version_table import VERSION_TABLE

# For ForeignKey(PERSON_ID). A string such as "clever_people.id" fails in another MetaData.
PERSON_ID = model_table(Person).c.id  # 32 hexadecimal digits
SECTION_ID = model_table(Section).c.id  # Clever's id
SCHOOL_ID = model_table(School).c.id  # Clever's id
_LIBRARY_TABLES = frozenset({*Base.metadata.tables, VERSION_TABLE})


def include_object(
    object: Any,  # noqa: A002, ARG001 # Alembic passes these arguments by position
    name: str | None,
    type_: str,
    reflected: bool,
    compare_to: Any,
) -> bool:
    """Tell Alembic's autogenerate to leave out the tables of the library and of other features.

    Pass it to `context.configure(include_object=...)` or to Flask-Migrate's `Migrate`. Without
    an application context, it does not know the features.
    """
    if type_ != "table":
        return True
    is_elsewhere = reflected and compare_to is None  # in the database, not in these migrations
    return name not in _LIBRARY_TABLES and not (is_elsewhere and is_table_of_a_feature(str(name)))
