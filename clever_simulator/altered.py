"""A directory with a few of its people changed, everywhere that they stand in it."""

from collections.abc import Mapping
from dataclasses import replace

from clever_simulator.directory import Directory
from clever_simulator.people import Person, Section


def with_people(before: Directory, changed: Mapping[str, Person]) -> Directory:
    """The same directory with other people in place of those of these ids."""

    def now(people: tuple[Person, ...]) -> tuple[Person, ...]:
        return tuple(changed.get(person.id, person) for person in people)

    def of(section: Section) -> Section:
        if changed.keys().isdisjoint(one.id for one in (*section.teachers, *section.students)):
            return section
        return replace(
            section,
            teacher=changed.get(section.teacher.id, section.teacher),
            co_teachers=now(section.co_teachers),
            students=now(section.students),
        )

    return replace(
        before,
        people=now(before.people),
        named_people=now(before.named_people),
        sections=tuple(of(section) for section in before.sections),
    )


def with_classes(before: Directory, student: Person, section_ids: set[str]) -> Directory:
    """The same directory where a student attends these sections and no others."""

    def of(section: Section) -> Section:
        others = tuple(one for one in section.students if one.id != student.id)
        if section.id in section_ids:
            return replace(section, students=(*others, student))
        return (
            section if len(others) == len(section.students) else replace(section, students=others)
        )

    return replace(before, sections=tuple(of(section) for section in before.sections))
