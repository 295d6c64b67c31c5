"""The roster records other than users, as frozen types: the same types in every API version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from clever_login.clever.parsing import ReadReport, RecordReader, ReprWithoutData


@dataclass(frozen=True, kw_only=True, repr=False)
class DistrictRecord(ReprWithoutData):
    """A district and its sync status.

    Fields are None if the tier or version does not provide them.
    """

    id: str
    name: str | None
    state: str | None  # running, pending, error, paused, success
    error: str | None
    sis_type: str | None
    mdr_number: str | None
    nces_id: str | None
    lms_type: str | None
    lms_state: str | None
    last_attendance_sync: datetime | None
    last_sync: datetime | None
    last_clever_sync: datetime | None  # only if Clever's support has enabled the field
    launch_date: datetime | None
    pause_start: datetime | None
    pause_end: datetime | None
    portal_url: str | None
    login_methods: tuple[str, ...]
    instant_login: bool | None
    contact_name: str | None
    contact_email: str | None

    @classmethod
    def from_api(
        cls, record: object, status: object, report: ReadReport | None = None
    ) -> DistrictRecord:
        """Parse a district and the record with its status.

        Before v2, the status is a separate record.
        """
        district_id, data = RecordReader.of_record("district", record, report)
        state, contact = RecordReader("district", status, report), _contact(data)
        name = contact.inner("name")
        names = [name.text(part) for part in ("first", "last")]
        return cls(
            id=district_id,
            **data.texts("name mdr_number nces_id lms_type lms_state portal_url"),
            **state.texts("state error sis_type"),
            last_attendance_sync=data.moment("last_attendance_sync"),
            last_sync=state.moment("last_sync"),
            last_clever_sync=data.moment("last_clever_sync"),
            launch_date=state.moment("launch_date"),
            pause_start=state.moment("pause_start"),
            pause_end=state.moment("pause_end"),
            login_methods=data.words("login_methods"),
            instant_login=state.flag("instant_login"),
            contact_name=" ".join(filter(None, names)) or None,
            contact_email=contact.text("email"),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class SchoolRecord(ReprWithoutData):
    """A school with its address and principal."""

    id: str
    district_id: str | None
    name: str | None
    sis_id: str | None
    school_number: str | None
    state_id: str | None
    nces_id: str | None
    mdr_number: str | None
    low_grade: str | None
    high_grade: str | None
    phone: str | None
    principal_name: str | None
    principal_email: str | None
    address: str | None
    city: str | None
    state: str | None
    zip: str | None
    created: datetime | None
    last_modified: datetime | None
    ext: Mapping[str, object] = field(hash=False)  # columns defined by the district

    @classmethod
    def from_api(cls, record: object, report: ReadReport | None = None) -> SchoolRecord:
        """Parse a school.

        Raises NoUsableId for a record without a valid id.
        """
        school_id, data = RecordReader.of_record("school", record, report)
        principal = data.inner("principal")
        numbers = "sis_id school_number state_id nces_id mdr_number"
        return cls(
            id=school_id,
            district_id=data.id("district"),
            **data.texts(f"name {numbers} low_grade high_grade phone"),
            **data.inner("location").texts("address city state zip"),
            principal_name=principal.text("name"),
            principal_email=principal.text("email"),
            created=data.moment("created"),
            last_modified=data.moment("last_modified"),
            ext=data.as_it_is("ext"),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Course(ReprWithoutData):
    """A course. Before v2 it has no id and is embedded in sections."""

    id: str | None
    district_id: str | None
    name: str | None
    number: str | None
    description: str | None

    @classmethod
    def from_api(cls, record: object, report: ReadReport | None = None) -> Course:
        """Parse a course.

        Raises NoUsableId for a record without a valid id.
        """
        course_id, data = RecordReader.of_record("course", record, report)
        return cls(
            id=course_id,
            district_id=data.id("district"),
            **data.texts("name number"),
            description=None,
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Term(ReprWithoutData):
    """A term of a school year. Before v2 it has no id and is embedded in sections."""

    id: str | None
    district_id: str | None
    name: str | None
    start_date: datetime | None
    end_date: datetime | None

    @classmethod
    def from_api(cls, record: object, report: ReadReport | None = None) -> Term:
        """Parse a term.

        Raises NoUsableId for a record without a valid id.
        """
        term_id, data = RecordReader.of_record("term", record, report)
        return cls.of(term_id, data)

    @classmethod
    def of(cls, term_id: str | None, data: RecordReader) -> Term:
        """Parse a term's fields from a record or an embedded object."""
        return cls(
            id=term_id,
            district_id=data.id("district"),
            name=data.text("name"),
            start_date=data.moment("start_date"),
            end_date=data.moment("end_date"),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Section(ReprWithoutData):
    """A section: a class of students with its teachers, primary teacher first."""

    id: str
    district_id: str | None
    school_id: str | None
    name: str | None
    subject: str | None
    grade: str | None
    period: str | None
    section_number: str | None
    sis_id: str | None
    teacher_ids: tuple[str, ...]
    student_ids: tuple[str, ...]
    unknown_members: tuple[str, ...]  # "teacher", "student": roles whose list could not be read
    course_id: str | None
    term_id: str | None
    course: Course | None  # before v2
    term: Term | None  # before v2
    created: datetime | None
    last_modified: datetime | None
    synced_in_lms: bool | None
    ext: Mapping[str, object] = field(hash=False)  # columns defined by the district

    @classmethod
    def from_api(cls, record: object, report: ReadReport | None = None) -> Section:
        """Parse a section.

        Raises NoUsableId for a record without a valid id.
        """
        section_id, data = RecordReader.of_record("section", record, report)
        primary = data.id("teacher")
        teachers = (primary, *data.ids("teachers")) if primary else data.ids("teachers")
        return cls(
            id=section_id,
            district_id=data.id("district"),
            school_id=data.id("school"),
            **data.texts("name subject grade period section_number sis_id"),
            teacher_ids=tuple(dict.fromkeys(teachers)),
            student_ids=data.ids("students"),
            unknown_members=tuple(
                role for role in ("teacher", "student") if not data.is_list(f"{role}s")
            ),
            course_id=data.id("course"),
            term_id=data.id("term_id"),
            course=_embedded_course(data),
            term=Term.of(None, data.inner("term")) if "term" in data else None,
            created=data.moment("created"),
            last_modified=data.moment("last_modified"),
            synced_in_lms=data.inner("lms_status").flag("synced_in_lms"),
            ext=data.as_it_is("ext"),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Resource(ReprWithoutData):
    """A resource that a district assigns to sections or users, from v3 on."""

    id: str
    district_id: str | None
    resource_id: str | None
    title: str | None
    roles: tuple[str, ...]
    created: datetime | None
    updated: datetime | None

    @classmethod
    def from_api(cls, record: object, report: ReadReport | None = None) -> Resource:
        """Parse a resource.

        Raises NoUsableId for a record without a valid id.
        """
        own_id, data = RecordReader.of_record("resource", record, report)
        return cls(
            id=own_id,
            district_id=data.id("district"),
            **data.texts("resource_id title"),
            roles=data.words("roles"),
            created=data.moment("created"),
            updated=data.moment("updated"),
        )


def _contact(data: RecordReader) -> RecordReader:
    """Return a reader of the district's contact. In some of Clever's examples it is only an id."""
    key = "district_contact"
    return RecordReader(key, {}) if data.is_text(key) else data.inner(key)


def _embedded_course(data: RecordReader) -> Course | None:
    name, number = data.text("course_name"), data.text("course_number")
    description = data.text("course_description")
    if not (name or number or description):
        return None
    return Course(id=None, district_id=None, name=name, number=number, description=description)
