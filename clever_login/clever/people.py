"""Everybody of a roster as one frozen type, whichever version and list the record came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from clever_login.clever.parsing import ReadReport, RecordReader, ReprWithoutData


class PersonRole(StrEnum):
    """What somebody is in a roster: the roles of a login, and contacts, who do not log in."""

    STUDENT = "student"
    TEACHER = "teacher"
    STAFF = "staff"
    DISTRICT_ADMIN = "district_admin"
    CONTACT = "contact"


@dataclass(frozen=True, kw_only=True, repr=False)
class SchoolEnrollment(ReprWithoutData):
    """When a student goes to a school."""

    school_id: str | None
    start_date: datetime | None
    end_date: datetime | None


@dataclass(frozen=True, kw_only=True, repr=False)
class StudentDetails(ReprWithoutData):
    """What is said of students alone; each word as Clever writes it."""

    grade: str | None
    graduation_year: str | None
    dob: str | None
    gender: str | None
    race: str | None
    hispanic_ethnicity: str | None
    ell_status: str | None
    frl_status: str | None
    iep_status: str | None
    gifted_status: str | None
    section_504_status: str | None
    home_language: str | None
    home_language_code: str | None
    disability_code: str | None
    disability_status: str | None
    disability_type: str | None
    preferred_first_name: str | None
    preferred_last_name: str | None
    address: str | None
    city: str | None
    state: str | None
    zip: str | None
    enrollments: tuple[SchoolEnrollment, ...]

    @classmethod
    def from_api(cls, data: RecordReader) -> StudentDetails:
        """Read them beside the other fields of a student."""
        own = data.texts(
            "grade graduation_year dob gender race hispanic_ethnicity ell_status frl_status"
            " iep_status gifted_status section_504_status home_language home_language_code"
        )
        preferred = data.inner("preferred_name")
        return cls(
            **own,
            **data.inner("location").texts("address city state zip"),
            **data.inner("disability").texts("disability_code disability_status disability_type"),
            preferred_first_name=preferred.text("first"),
            preferred_last_name=preferred.text("last"),
            enrollments=tuple(map(_parse_enrollment, data.each("enrollments"))),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Relationship(ReprWithoutData):
    """Of which student somebody is the contact, and in which way."""

    student_id: str
    relationship: str | None
    type: str | None


@dataclass(frozen=True, kw_only=True, repr=False)
class ContactDetails(ReprWithoutData):
    """What is said of contacts alone."""

    phone: str | None
    phone_type: str | None
    relationships: tuple[Relationship, ...]

    @classmethod
    def from_api(cls, data: RecordReader) -> ContactDetails:
        """Read `student_relationships`, or what stands in its place before v3."""
        return cls(
            **data.texts("phone phone_type"), relationships=tuple(_parse_relationships(data))
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class RoleAssignment(ReprWithoutData):
    """One role of a person with all that belongs to it; the primary school is the first."""

    role: PersonRole
    legacy_id: str | None
    school_ids: tuple[str, ...]
    sis_id: str | None
    state_id: str | None
    number: str | None  # of a student or teacher, or the id of staff
    title: str | None
    department: str | None
    user_name: str | None  # at the district
    staff_roles: tuple[str, ...]
    student: StudentDetails | None
    contact: ContactDetails | None
    ext: Mapping[str, object] = field(hash=False)  # columns of the district's own

    @classmethod
    def from_api(cls, role: PersonRole, data: RecordReader) -> RoleAssignment:
        """Read a role's object of v3, or a whole record of before."""
        primary = data.id("school")
        schools = (primary, *data.ids("schools")) if primary else data.ids("schools")
        numbers = [data.text(key) for key in ("student_number", "teacher_number", "staff_id")]
        return cls(
            role=role,
            legacy_id=data.id("legacy_id"),
            school_ids=tuple(dict.fromkeys(schools)),
            **data.texts("sis_id state_id title department"),
            number=next(filter(None, numbers), None),
            user_name=data.inner("credentials").text("district_username"),
            staff_roles=data.words("roles") if role is PersonRole.STAFF else (),
            student=StudentDetails.from_api(data) if role is PersonRole.STUDENT else None,
            contact=ContactDetails.from_api(data) if role is PersonRole.CONTACT else None,
            ext=data.as_it_is("ext"),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Person(ReprWithoutData):
    """Somebody in a district, in one role or, from v3 on, in several."""

    id: str
    district_id: str | None
    first_name: str | None
    middle_name: str | None
    last_name: str | None  # a contact's whole name
    email: str | None
    created: datetime | None
    last_modified: datetime | None
    posts: tuple[RoleAssignment, ...]
    synced_in_lms: bool | None

    @classmethod
    def from_api(
        cls, record: object, role: PersonRole | None, report: ReadReport | None = None
    ) -> Person:
        """Read a record; `role` is what its list says before v3, else None: `roles` says it.

        What is not understood is counted in `report`. Raises NoUsableId.
        """
        person_id, data = RecordReader.of_record(role or "user", record, report)
        first, middle, last = _parse_names(data)
        return cls(
            id=person_id,
            district_id=data.id("district"),
            first_name=first,
            middle_name=middle,
            last_name=last,
            email=data.text("email"),
            created=data.moment("created"),
            last_modified=data.moment("last_modified"),
            posts=(RoleAssignment.from_api(role, data),)
            if role
            else _parse_role_assignments(data.inner("roles")),
            synced_in_lms=data.inner("lms_status").flag("synced_in_lms"),
        )

    @property
    def roles(self) -> tuple[PersonRole, ...]:
        """The roles that this app may see; it may be none."""
        return tuple(post.role for post in self.posts)

    def post(self, role: PersonRole) -> RoleAssignment | None:
        """What belongs to one role."""
        return next((post for post in self.posts if post.role is role), None)


def _parse_role_assignments(roles: RecordReader) -> tuple[RoleAssignment, ...]:
    """The roles that are objects; anything else in the place of one gives nobody that role."""
    return tuple(
        RoleAssignment.from_api(each, roles.inner(each, each))
        for each in PersonRole
        if roles.holds(each)
    )


def _parse_names(data: RecordReader) -> tuple[str | None, str | None, str | None]:
    """First, middle and last; before v3 a contact has one string."""
    if data.is_text("name"):
        return None, None, data.text("name")
    name = data.inner("name")
    return name.text("first"), name.text("middle"), name.text("last")


def _parse_enrollment(data: RecordReader) -> SchoolEnrollment:
    return SchoolEnrollment(
        school_id=data.id("school"),
        start_date=data.moment("start_date"),
        end_date=data.moment("end_date"),
    )


def _parse_relationships(data: RecordReader) -> list[Relationship]:
    own = data.texts("relationship type")
    if "student_relationships" not in data:  # v1: one student, v2: several in the same way
        one = data.id("student")
        students = (one,) if one else data.ids("students")
        return [Relationship(student_id=each, **own) for each in students]
    found = [(each.id("student"), each) for each in data.each("student_relationships")]
    return [
        Relationship(student_id=student, **each.texts("relationship type"))
        for student, each in found
        if student
    ]
