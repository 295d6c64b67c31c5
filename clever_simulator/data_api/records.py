"""The most complete record of each kind. `serializers` selects the fields that are shown."""

from typing import Any

from clever_simulator.directory.models import District, Person, RoleAssignment, School

Record = dict[str, Any]


def district_record(district: District) -> Record:
    """Returns a district. By default its last sync succeeded and it was never paused."""
    return {
        "id": district.id,
        "name": district.name,
        "mdr_number": str(int(district.id[-5:], 16)),
        "nces_id": str(6_000_000 + int(district.id[-5:], 16)),
        "sis_type": "powerschool",
        "state": "success",
        "error": "",
        "launch_date": "2024-08-12",
        "last_sync": "2026-01-20T09:30:00.000Z",
        "pause_start": None,
        "pause_end": None,
        "last_attendance_sync": None,
        "lms_state": "",
        "lms_type": "",
        "portal_url": f"https://clever.example/in/{district.shortname}",
        "login_methods": ["Clever Passwords"],
        "district_contact": {
            "id": district.id[::-1],
            "district": district.id,
            "name": {"first": "Robin", "last": "Achterberg"},
            "email": f"help@{district.shortname}.example",
            "title": "Technology Director",
        },
    }


def status_record(district: District) -> Record:
    """Returns a district's sync status, which has its own endpoint before v2.0."""
    return district_record(district) | {"state": "running", "instant_login": True}


def school_record(school: School) -> Record:
    """Returns a school with its own address, phone number and principal's email."""
    return {
        "id": school.id,
        "district": school.district.id,
        "name": school.name,
        "sis_id": school.number,
        "school_number": school.number,
        "state_id": f"CA-{school.number}",
        "nces_id": f"0600{school.number}",
        "mdr_number": school.number,
        "low_grade": school.low_grade,
        "high_grade": school.high_grade,
        "phone": f"(555) 010-{school.number}",
        "principal": {"name": "Dana Fuller", "email": f"principal{school.number}@school.example"},
        "location": _location_field(_to_number(school.number)),
        "created": "2024-08-12T14:05:00.000Z",
        "last_modified": "2026-01-20T09:30:00.000Z",
        "ext": {},
        **school.facts,
    }


def person_record(person: Person) -> Record:
    """Returns a person's fields that do not depend on a role. Omits a missing `email`."""
    name = {"first": person.name.first, "last": person.name.last}
    if not person.guaranteed_only:
        name["middle"] = person.name.middle
    record: Record = {
        "id": person.id,
        "district": person.district.id,
        "name": name,
        "created": person.created,
        "last_modified": person.last_modified,
    }
    return record | ({"email": person.email} if person.email else {})


def role_record(person: Person, assignment: RoleAssignment) -> Record:
    """Returns the fields that a role adds. Empty if only guaranteed fields are known."""
    if person.guaranteed_only:
        return {}
    common = {"legacy_id": assignment.legacy_id, "ext": {}}
    if assignment.role == "district_admin":
        return common | {"title": assignment.title}
    common |= {"schools": [school.id for school in assignment.schools]}
    if person.has_user_name:
        common |= {"credentials": {"district_username": person.user_name}}
    makers = {"student": _student_fields, "teacher": _teacher_fields, "staff": _staff_fields}
    return common | makers[assignment.role](person, assignment) | assignment.facts


def _student_fields(person: Person, assignment: RoleAssignment) -> Record:
    age, number = (
        6 + (int(assignment.grade) if assignment.grade.isdecimal() else 0),
        _to_number(assignment.number),
    )
    return {
        "school": assignment.schools[0].id,
        "sis_id": assignment.number,
        "student_number": assignment.number,
        "state_id": f"S{assignment.number}",
        "grade": assignment.grade,
        "graduation_year": str(2026 + 18 - age),
        "dob": f"{1 + number % 12}/{1 + number % 28}/{2026 - age}",
        "gender": "FM"[number % 2],
        "hispanic_ethnicity": "",
        "race": "",
        "ell_status": "N",
        "location": _location_field(number),
        "enrollments": [
            {"school": school.id, "start_date": "2025-08-18", "end_date": "2026-06-12"}
            for school in assignment.schools
        ],
        "preferred_name": {"first": person.name.first, "last": person.name.last, "middle": ""},
        "home_language": "English",
        "home_language_code": "eng",
        "frl_status": "",
        "iep_status": "",
        "disability": {},
        "gifted_status": "",
        "section_504_status": "",
    }


def _teacher_fields(_person: Person, assignment: RoleAssignment) -> Record:
    return {
        "school": assignment.schools[0].id,
        "sis_id": assignment.number,
        "teacher_number": assignment.number,
        "state_id": f"T{assignment.number}",
        "title": "Teacher",
    }


def _staff_fields(_person: Person, assignment: RoleAssignment) -> Record:
    return {
        "staff_id": assignment.number,
        "title": assignment.title,
        "department": "Office",
        "roles": ["SchoolTechLead"],
    }


def _location_field(number: int) -> Record:
    return {
        "address": f"{100 + number % 800} Sample Street",
        "city": "Harrow Creek",
        "state": "CA",
        "zip": "90000",
        "lat": "",
        "lon": "",
    }


def _to_number(number: str) -> int:
    """Converts a school or person number to an integer. Districts may use any format."""
    return int(number) if number.isdecimal() else len(number)
