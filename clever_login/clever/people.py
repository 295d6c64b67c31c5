"""All users of a roster as one frozen type, for records from any version and list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from clever_login.clever.parsing import ReadReport, RecordReader, ReprWithoutData


class PersonRole(StrEnum):
    """The role of a person in a roster: the login roles, and contacts, who do not log in."""

    STUDENT = "student"
    TEACHER = "teacher"
    STAFF = "staff"
    DISTRICT_ADMIN = "district_admin"
    CONTACT = "contact"


@dataclass(frozen=True, kw_only=True, repr=False)
class SchoolEnrollment(ReprWithoutData):
    """The time for which a student is enrolled in a school."""

    school_id: str | None
    start_date: datetime | None
    end_date: datetime | None


@dataclass(frozen=True, kw_only=True, repr=False)
class StudentDetails(ReprWithoutData):
    """The fields that only students have. The values are as Clever writes them."""

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
        """Parse the student's fields of a record."""
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
    """The student that a contact belongs to, and the kind of relationship."""

    student_id: str
    relationship: str | None
    type: str | None


@dataclass(frozen=True, kw_only=True, repr=False)
class ContactDetails(ReprWithoutData):
    """The fields that only contacts have."""

    phone: str | None
    phone_type: str | None
    relationships: tuple[Relationship, ...]

    @classmethod
    def from_api(cls, data: RecordReader) -> ContactDetails:
        """Parse `student_relationships`, or the fields used for it before v3."""
        return cls(
            **data.texts("phone phone_type"), relationships=tuple(_parse_relationships(data))
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class RoleAssignment(ReprWithoutData):
    """One role of a person, with its fields. The primary school is first."""

    role: PersonRole
    legacy_id: str | None
    school_ids: tuple[str, ...]
    sis_id: str | None
    state_id: str | None
    number: str | None  # student number, teacher number, or staff id
    title: str | None
    department: str | None
    user_name: str | None  # at the district
    staff_roles: tuple[str, ...]
    student: StudentDetails | None
    contact: ContactDetails | None
    ext: Mapping[str, object] = field(hash=False)  # columns defined by the district

    @classmethod
    def from_api(cls, role: PersonRole, data: RecordReader) -> RoleAssignment:
        """Parse the object of a role (v3), or a whole record (before v3)."""
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
    """A person in a district, with one role or, from v3 on, several."""

    id: str
    district_id: str | None
    first_name: str | None
    middle_name: str | None
    last_name: str | None  # a contact's whole name
    email: str | None
    created: datetime | None
    last_modified: datetime | None
    role_assignments: tuple[RoleAssignment, ...]
    unknown_roles: bool  # whether some roles could not be read
    synced_in_lms: bool | None

    @classmethod
    def from_api(
        cls, record: object, role: PersonRole | None, report: ReadReport | None = None
    ) -> Person:
        """Parse a record.

        `role` comes from the record's list before v3; None means that the record's `roles` has it.
        Values that cannot be parsed are counted in `report`. Raises NoUsableId for a record without
        a valid id.
        """
        person_id, data = RecordReader.of_record(role or "user", record, report)
        first, middle, last = _parse_names(data)
        assignments: tuple[RoleAssignment, ...]
        if role:
            assignments, is_readable = (RoleAssignment.from_api(role, data),), True
        else:
            roles = data.inner("roles")
            assignments = _parse_role_assignments(roles)
            is_readable = data.is_object("roles") and all(map(roles.is_object, PersonRole))
        return cls(
            id=person_id,
            district_id=data.id("district"),
            first_name=first,
            middle_name=middle,
            last_name=last,
            email=data.text("email"),
            created=data.moment("created"),
            last_modified=data.moment("last_modified"),
            role_assignments=assignments,
            unknown_roles=not is_readable,
            synced_in_lms=data.inner("lms_status").flag("synced_in_lms"),
        )

    @property
    def roles(self) -> tuple[PersonRole, ...]:
        """The roles that are visible to this app, possibly none."""
        return tuple(post.role for post in self.role_assignments)

    def post(self, role: PersonRole) -> RoleAssignment | None:
        """Return the fields of one role, or None."""
        return next((post for post in self.role_assignments if post.role is role), None)


def _parse_role_assignments(roles: RecordReader) -> tuple[RoleAssignment, ...]:
    """Return the roles that are objects. Any other value does not assign the role."""
    return tuple(
        RoleAssignment.from_api(role, roles.inner(role, role))
        for role in PersonRole
        if roles.holds(role)
    )


def _parse_names(data: RecordReader) -> tuple[str | None, str | None, str | None]:
    """Return first, middle, and last name. Before v3, a contact has one string."""
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
    if "student_relationships" not in data:  # v1: one student; v2: a list of students
        student = data.id("student")
        students = (student,) if student else data.ids("students")
        return [Relationship(student_id=student_id, **own) for student_id in students]
    relationships = [
        (relationship.id("student"), relationship)
        for relationship in data.each("student_relationships")
    ]
    return [
        Relationship(student_id=student, **relationship.texts("relationship type"))
        for student, relationship in relationships
        if student
    ]
