"""District records derived from people and sections: courses, terms, contacts and resources."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache

from clever_simulator.directory.directory import make_id
from clever_simulator.directory.models import District, Person, Role, Section

_GUARDIAN_FIRST_NAMES = ("Alma", "Bao", "Carmen", "Dov", "Elif", "Farid", "Greta", "Hiro")


@dataclass(frozen=True, kw_only=True)
class Course:
    """A course, which several sections can teach."""

    id: str
    district: District
    name: str
    number: str


@dataclass(frozen=True, kw_only=True)
class Term:
    """A part of the school year. Dates are YYYY-MM-DD, or None if unknown."""

    id: str
    district: District
    name: str
    start_date: str | None
    end_date: str | None


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A guardian of one or two students. `legacy_id` is the ID before API v3."""

    id: str
    legacy_id: str
    district: District
    name: str
    email: str
    phone: str
    students: tuple[str, ...]
    roles: tuple[str, ...] = ("contact",)


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Something that an app offers to the people of some courses, in some of their roles."""

    id: str
    district: District
    resource_id: str
    title: str
    roles: tuple[Role, ...]
    courses: frozenset[str]


def course_for_section(section: Section) -> Course:
    """Returns a section's course: the one in its data, or one for each subject."""
    district, facts = section.school.district, section.facts
    name = facts.get("course_name") or section.subject.capitalize()
    course_id = _derived_id(district.id, "course", name, str(facts.get("course_number", "")))
    number = facts.get("course_number") or str(100 + int(course_id[-3:], 16) % 900)
    return Course(id=course_id, district=district, name=name, number=number)


def term_for_section(section: Section) -> Term:
    """Returns a section's term: the one in its data, the school year, or its current semester."""
    school_year, semester = _current_terms()
    default_term = semester if section.period in ("2", "4") else school_year
    facts = section.facts.get("term", {})
    name, start, end = (facts.get(key) for key in ("name", "start_date", "end_date"))
    if not name:
        name, start, end = default_term
    district = section.school.district
    term_id = _derived_id(district.id, "term", name, str(start), str(end))
    return Term(id=term_id, district=district, name=name, start_date=start, end_date=end)


def build_contacts(district: District, students: Iterable[Person]) -> list[Contact]:
    """Returns guardians for two in three students. One guardian in three has two students."""
    last_names = {student.id: student.name.last for student in students}
    ordered = sorted(last_names)
    contacts = []
    for start in range(0, len(ordered), 6):
        first, *other_students = ordered[start : start + 4]
        families = [(first, *other_students[:1]), *((other,) for other in other_students[1:])]
        contacts += [_build_contact(district, family, last_names[family[0]]) for family in families]
    return contacts


_NamedDays = tuple[str, str, str]  # name, first day, last day


@cache  # a term keeps its ID as long as the simulator runs
def _current_terms() -> tuple[_NamedDays, _NamedDays]:
    """Returns today's school year and semester. They include the summer, so one is always current.

    The semester changes on January 11.
    """
    today = datetime.now(UTC).date()
    first = today.year if today.month >= 8 else today.year - 1
    start, end, spring = date(first, 8, 1), date(first + 1, 7, 31), date(first + 1, 1, 11)
    name = f"{first}-{(first + 1) % 100:02}"
    if today < spring:
        semester = (f"Fall {first}", str(start), f"{first + 1}-01-10")
    else:
        semester = (f"Spring {first + 1}", str(spring), str(end))
    return (name, str(start), str(end)), semester


def build_resources(district: District, courses: Sequence[Course]) -> tuple[Resource, ...]:
    """Returns two resources: one for the first course, one for the teachers of all courses."""
    if not courses:
        return ()
    return (
        _build_resource(district, "practice", "Practice room", ("student", "teacher"), courses[:1]),
        _build_resource(district, "guide", "Guide for teachers", ("teacher",), courses),
    )


def split_by_student(contact: Contact) -> list[Contact]:
    """Returns a contact as API v1 has it: one contact with its own ID for each student."""
    return [
        replace(contact, legacy_id=_derived_id(contact.legacy_id, student), students=(student,))
        for student in contact.students
    ]


def _build_contact(district: District, family: tuple[str, ...], last_name: str) -> Contact:
    number = int(family[0][-4:], 16)
    first_name = _GUARDIAN_FIRST_NAMES[number % len(_GUARDIAN_FIRST_NAMES)]
    return Contact(
        id=_derived_id("contact", *family),
        legacy_id=_derived_id("old contact", *family),
        district=district,
        name=f"{first_name} {last_name}",
        email=f"family{number}@home.example",
        phone=f"(555) 011-{number:05}",
        students=family,
    )


def _build_resource(
    district: District,
    resource_id: str,
    title: str,
    roles: tuple[Role, ...],
    courses: Iterable[Course],
) -> Resource:
    return Resource(
        id=_derived_id(district.id, "resource", resource_id),
        district=district,
        resource_id=resource_id,
        title=title,
        roles=roles,
        courses=frozenset(course.id for course in courses),
    )


def _derived_id(*parts: str) -> str:
    return make_id(0, *parts)  # the parts already differ between seeds
