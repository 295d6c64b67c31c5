"""The most complete records of a section and its course, term, resources and contacts."""

from clever_simulator.data_api.derived_records import Contact, Course, Resource, Term
from clever_simulator.data_api.index import DistrictIndex, id_in_version
from clever_simulator.data_api.records import Record
from clever_simulator.data_api.versions import ApiVersion
from clever_simulator.directory.models import Section


def section_record(rules: ApiVersion, index: DistrictIndex, section: Section) -> Record:
    """Returns a section with the IDs of its people. Before v2.0 it includes the course and term."""
    course, term = index.course_of[section.id], index.term_of[section.id]
    teachers = [id_in_version(rules, "teacher", teacher) for teacher in index.teachers_of(section)]
    number = str(int(section.id[-4:], 16))
    return {
        "id": section.id,
        "district": index.district.id,
        "school": section.school.id,
        "name": section.name,
        "created": "2025-08-01T14:05:00.000Z",
        "last_modified": "2026-01-20T09:30:00.000Z",
        "grade": section.grade,
        "period": section.period,
        "subject": section.subject,
        "sis_id": section.facts.get("sis_id") or f"SEC-{number}",
        "section_number": section.facts.get("section_number") or number,
        "students": [student.id for student in section.students],
        "teacher": teachers[0] if teachers else None,
        "teachers": teachers,
        "course": course.id,
        "term_id": term.id,
        "course_name": course.name,
        "course_number": course.number,
        "course_description": section.facts.get("course_description", ""),
        "term": {"name": term.name, "start_date": term.start_date, "end_date": term.end_date},
        "ext": {},
        "lms_status": {"synced_in_lms": False},
        **section.facts,
    }


def course_record(course: Course) -> Record:
    """Returns a course, which several sections can teach."""
    return {
        "id": course.id,
        "district": course.district.id,
        "name": course.name,
        "number": course.number,
    }


def term_record(term: Term) -> Record:
    """Returns a term, a part of the school year."""
    return {
        "id": term.id,
        "district": term.district.id,
        "name": term.name,
        "start_date": term.start_date,
        "end_date": term.end_date,
    }


def resource_record(resource: Resource) -> Record:
    """Returns a resource, which an app offers to some courses."""
    return {
        "id": resource.id,
        "district": resource.district.id,
        "resource_id": resource.resource_id,
        "title": resource.title,
        "roles": list(resource.roles),
        "created": "2025-08-01T14:05:00.000Z",
        "updated": "2026-01-20T09:30:00.000Z",
    }


def contact_record(contact: Contact) -> Record:
    """Returns a guardian. v1 has one student, v2 all students, v3 the relationship to each."""
    relation = {"relationship": "Parent", "type": "Parent/Guardian"}
    return {
        "id": contact.legacy_id,
        "legacy_id": contact.legacy_id,
        "district": contact.district.id,
        "name": contact.name,
        "email": contact.email,
        "phone": contact.phone,
        "phone_type": "Cell",
        "sis_id": f"C{contact.legacy_id[-6:]}",
        "student": contact.students[0],
        "students": list(contact.students),
        "student_relationships": [{"student": student, **relation} for student in contact.students],
        **relation,
    }


def contact_user_record(contact: Contact) -> Record:
    """Returns a contact's API v3 fields outside `roles`. The whole name is in `last`."""
    return {
        "id": contact.id,
        "district": contact.district.id,
        "name": {"first": "", "last": contact.name, "middle": ""},
        "email": contact.email,
        "created": "2024-08-12T14:05:00.000Z",
        "last_modified": "2026-01-20T09:30:00.000Z",
    }
