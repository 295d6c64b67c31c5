"""What a Clever Library teacher shares: their own sections, and the students in them.

Read with the teacher's own token, at each login: without a district there is no token of one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clever_login.api.client import Client
from clever_login.errors import CleverUnexpected
from clever_login.persons import Person, PersonRole
from clever_login.records import Section

MOST_SECTIONS = 20  # read at login; whoever has more is shown these
MOST_STUDENTS = 200  # of one section: an answer holds a hundred


@dataclass(frozen=True, kw_only=True)
class SharedSection:
    """A section and the students in it, whose last names are an initial and who have no email."""

    section: Section
    students: tuple[Person, ...]


def sections(client: Client, teacher_id: str) -> tuple[SharedSection, ...]:
    """The teacher's sections, all of their students asked for together.

    Raises LoginError or NotShared when any of them cannot be read: half a class is no class.
    """
    path = client.version.own_sections.format(id=teacher_id)
    found = [Section.from_api(record) for record in client.records(path, "the sections")]
    found = found[:MOST_SECTIONS]
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
        try:
            records = client.records(path, "the students")[:MOST_STUDENTS]
            return tuple(Person.from_api(record, role) for record in records)
        except CleverUnexpected:  # its words name the record: a student's id is for no log
            raise CleverUnexpected("a student of a section has a strange shape") from None

    return read
