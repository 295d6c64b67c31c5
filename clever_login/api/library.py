"""What a Clever Library teacher shares: their own sections, and the students in them.

Read with the teacher's own token, at each login: without a district there is no token of one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from clever_login.api.client import Client
from clever_login.errors import NoUsableId
from clever_login.persons import Person, PersonRole
from clever_login.records import Section

T = TypeVar("T")
MOST_SECTIONS = 20  # read at login; whoever has more is shown these
MOST_STUDENTS = 200  # of one section: an answer holds a hundred


@dataclass(frozen=True, kw_only=True)
class SharedSection:
    """A section and the students in it, whose last names are an initial and who have no email."""

    section: Section
    students: tuple[Person, ...]


def sections(client: Client, teacher_id: str) -> tuple[SharedSection, ...]:
    """The teacher's sections, all of their students asked for together.

    Raises LoginError or NotShared when a list of them cannot be read: half a class is no class.
    """
    path = client.version.own_sections.format(id=teacher_id)
    found = _with_ids(Section.from_api, client.records(path, "the sections"))[:MOST_SECTIONS]
    asked = [client.transport.start(_students_of(client, each)) for each in found[1:]]
    students = [_students_of(client, each)() for each in found[:1]]
    students += [each.result() for each in asked]
    return tuple(
        SharedSection(section=section, students=members)
        for section, members in zip(found, students, strict=True)
    )


def _students_of(client: Client, section: Section) -> Callable[[], tuple[Person, ...]]:
    path = client.version.section_students.format(id=section.id)
    role = None if client.version.roles_in_record else PersonRole.STUDENT

    def read() -> tuple[Person, ...]:
        records = client.records(path, "the students")[:MOST_STUDENTS]
        return tuple(_with_ids(lambda record: Person.from_api(record, role), records))

    return read


def _with_ids(read: Callable[[object], T], records: list[object]) -> list[T]:
    """The records as our types; one without an id is nobody's, and is skipped."""
    found = []
    for record in records:
        with suppress(NoUsableId):
            found.append(read(record))
    return found
