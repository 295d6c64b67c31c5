"""The most complete records of a section and its course, term, resources and contacts."""

from clever_simulator.data_api.derived_records import Contact, Course, Resource, Term
from clever_simulator.data_api.index import DistrictIndex, id_in_version
from clever_simulator.data_api.records import Record
from clever_simulator.data_api.versions import ApiVersion
from clever_simulator.directory.models import Section


def section_record(rules: ApiVersion, index: DistrictIndex, one: Section) -> Record:
    """Returns a section with the IDs of its people. Before v2.0 it includes the course and term."""
    course, term = index.course_of[one.id], index.term_of[one.id]
    teachers = [id_in_version(rules, "teacher", p) for p in index.teachers_of(one)]
    number = str(int(one.id[-4:], 16))
    return {
        "id": one.id,
        "district": index.district.id,
        "school": one.school.id,
        "name": one.name,
        "created": "2025-08-01T14:05:00.000Z",
        "last_modified": "2026-01-20T09:30:00.000Z",
        "grade": one.grade,
        "period": one.period,
        "subject": one.subject,
        "sis_id": one.facts.get("sis_id") or f"SEC-{number}",
        "section_number": one.facts.get("section_number") or number,
        "students": [student.id for student in one.students],
        "teacher": teachers[0] if teachers else None,
        "teachers": teachers,
        "course": course.id,
        "term_id": term.id,
        "course_name": course.name,
        "course_number": course.number,
        "course_description": one.facts.get("course_description", ""),
        "term": {"name": term.name, "start_date": term.start_date, "end_date": term.end_date},
        "ext": {},
        "lms_status": {"synced_in_lms": False},
        **one.facts,
    }


def course_record(one: Course) -> Record:
    """Returns a course, which several sections can teach."""
    return {"id": one.id, "district": one.district.id, "name": one.name, "number": one.number}


def term_record(one: Term) -> Record:
    """Returns a term, a part of the school year."""
    return {
        "id": one.id,
        "district": one.district.id,
        "name": one.name,
        "start_date": one.start_date,
        "end_date": one.end_date,
    }


def resource_record(one: Resource) -> Record:
    """Returns a resource, which an app offers to some courses."""
    return {
        "id": one.id,
        "district": one.district.id,
        "resource_id": one.resource_id,
        "title": one.title,
        "roles": list(one.roles),
        "created": "2025-08-01T14:05:00.000Z",
        "updated": "2026-01-20T09:30:00.000Z",
    }


def contact_record(one: Contact) -> Record:
    """Returns a guardian. v1 has one student, v2 all students, v3 the relationship to each."""
    relation = {"relationship": "Parent", "type": "Parent/Guardian"}
    return {
        "id": one.legacy_id,
        "legacy_id": one.legacy_id,
        "district": one.district.id,
        "name": one.name,
        "email": one.email,
        "phone": one.phone,
        "phone_type": "Cell",
        "sis_id": f"C{one.legacy_id[-6:]}",
        "student": one.students[0],
        "students": list(one.students),
        "student_relationships": [{"student": student, **relation} for student in one.students],
        **relation,
    }


def contact_user_record(one: Contact) -> Record:
    """Returns a contact's API v3 fields outside `roles`. The whole name is in `last`."""
    return {
        "id": one.id,
        "district": one.district.id,
        "name": {"first": "", "last": one.name, "middle": ""},
        "email": one.email,
        "created": "2024-08-12T14:05:00.000Z",
        "last_modified": "2026-01-20T09:30:00.000Z",
    }
