"""What a district has besides people and sections: courses, terms, contacts and resources."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from clever_simulator.ids import made_id
from clever_simulator.people import District, Person, Role, Section

_FIRST_NAMES = ("Alma", "Bao", "Carmen", "Dov", "Elif", "Farid", "Greta", "Hiro")


@dataclass(frozen=True, kw_only=True)
class Course:
    """What several sections teach."""

    id: str
    district: District
    name: str
    number: str


@dataclass(frozen=True, kw_only=True)
class Term:
    """A part of the school year; both dates are days, as YYYY-MM-DD."""

    id: str
    district: District
    name: str
    start_date: str
    end_date: str


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A guardian of one student or of two; `legacy_id` is the id before API v3."""

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


def course_of(section: Section) -> Course:
    """The course that a section belongs to: that of its file, else one for each subject."""
    district, subject = section.school.district, section.subject
    name, number = section.facts.get("course_name"), section.facts.get("course_number", "")
    if name:
        course_id = _id(district.id, "course", name, number)
        return Course(id=course_id, district=district, name=name, number=number)
    course_id = _id(district.id, "course", subject)
    number = str(100 + int(course_id[-3:], 16) % 900)
    return Course(id=course_id, district=district, name=subject.capitalize(), number=number)


def terms(district: District) -> tuple[Term, Term]:
    """The two terms of a district: the whole year, and its second half."""
    year = Term(
        id=_id(district.id, "term", "year"),
        district=district,
        name="2025-26",
        start_date="2025-08-18",
        end_date="2026-06-12",
    )
    spring = replace(
        year, id=_id(district.id, "term", "spring"), name="Spring 2026", start_date="2026-01-12"
    )
    return year, spring


def term_of(section: Section) -> Term:
    """The term in which a section meets: that of its file, else one of the two."""
    own = section.facts.get("term", {})
    if any(own.values()):
        district = section.school.district
        return Term(id=_id(district.id, "term", *own.values()), district=district, **own)
    return terms(section.school.district)[section.period in ("2", "4")]


def contacts(district: District, students: Iterable[Person]) -> list[Contact]:
    """Guardians for two in three students; one in three of them has two children at school."""
    last_names = {student.id: student.name.last for student in students}
    ordered = sorted(last_names)
    found = []
    for start in range(0, len(ordered), 6):
        first, *rest = ordered[start : start + 4]
        families = [(first, *rest[:1]), *((other,) for other in rest[1:])]
        found += [_contact(district, family, last_names[family[0]]) for family in families]
    return found


def resources(district: District, courses: Sequence[Course]) -> tuple[Resource, ...]:
    """Two resources: one for the first course, one for the teachers of all courses."""
    if not courses:
        return ()
    return (
        _resource(district, "practice", "Practice room", ("student", "teacher"), courses[:1]),
        _resource(district, "guide", "Guide for teachers", ("teacher",), courses),
    )


def for_one_student(contact: Contact) -> list[Contact]:
    """The same contact as API v1 has it: once for each student, each time with another id."""
    return [
        replace(contact, legacy_id=_id(contact.legacy_id, student), students=(student,))
        for student in contact.students
    ]


def _contact(district: District, family: tuple[str, ...], last_name: str) -> Contact:
    number = int(family[0][-4:], 16)
    first_name = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    return Contact(
        id=_id("contact", *family),
        legacy_id=_id("old contact", *family),
        district=district,
        name=f"{first_name} {last_name}",
        email=f"family{number}@home.example",
        phone=f"(555) 011-{number:05}",
        students=family,
    )


def _resource(
    district: District,
    resource_id: str,
    title: str,
    roles: tuple[Role, ...],
    courses: Iterable[Course],
) -> Resource:
    return Resource(
        id=_id(district.id, "resource", resource_id),
        district=district,
        resource_id=resource_id,
        title=title,
        roles=roles,
        courses=frozenset(course.id for course in courses),
    )


def _id(*what: str) -> str:
    return made_id(0, *what)  # whatever is named here differs from seed to seed already
