"""The most complete record of each kind. `serializers` selects the fields that are shown."""

from typing import Any

from clever_simulator.directory.models import District, Person, RoleAssignment, School

Record = dict[str, Any]


def district_record(one: District) -> Record:
    """Returns a district. By default its last sync succeeded and it was never paused."""
    return {
        "id": one.id,
        "name": one.name,
        "mdr_number": str(int(one.id[-5:], 16)),
        "nces_id": str(6_000_000 + int(one.id[-5:], 16)),
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
        "portal_url": f"https://clever.example/in/{one.shortname}",
        "login_methods": ["Clever Passwords"],
        "district_contact": {
            "id": one.id[::-1],
            "district": one.id,
            "name": {"first": "Robin", "last": "Achterberg"},
            "email": f"help@{one.shortname}.example",
            "title": "Technology Director",
        },
    }


def status_record(one: District) -> Record:
    """Returns a district's sync status, which has its own endpoint before v2.0."""
    return district_record(one) | {"state": "running", "instant_login": True}


def school_record(one: School) -> Record:
    """Returns a school with its own address, phone number and principal's email."""
    return {
        "id": one.id,
        "district": one.district.id,
        "name": one.name,
        "sis_id": one.number,
        "school_number": one.number,
        "state_id": f"CA-{one.number}",
        "nces_id": f"0600{one.number}",
        "mdr_number": one.number,
        "low_grade": one.low_grade,
        "high_grade": one.high_grade,
        "phone": f"(555) 010-{one.number}",
        "principal": {"name": "Dana Fuller", "email": f"principal{one.number}@school.example"},
        "location": _location_field(_to_number(one.number)),
        "created": "2024-08-12T14:05:00.000Z",
        "last_modified": "2026-01-20T09:30:00.000Z",
        "ext": {},
        **one.facts,
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


def role_record(person: Person, one: RoleAssignment) -> Record:
    """Returns the fields that a role adds. Empty if only guaranteed fields are known."""
    if person.guaranteed_only:
        return {}
    common = {"legacy_id": one.legacy_id, "ext": {}}
    if one.role == "district_admin":
        return common | {"title": one.title}
    common |= {"schools": [school.id for school in one.schools]}
    if person.has_user_name:
        common |= {"credentials": {"district_username": person.user_name}}
    makers = {"student": _student_fields, "teacher": _teacher_fields, "staff": _staff_fields}
    return common | makers[one.role](person, one) | one.facts


def _student_fields(person: Person, one: RoleAssignment) -> Record:
    age, number = 6 + (int(one.grade) if one.grade.isdecimal() else 0), _to_number(one.number)
    return {
        "school": one.schools[0].id,
        "sis_id": one.number,
        "student_number": one.number,
        "state_id": f"S{one.number}",
        "grade": one.grade,
        "graduation_year": str(2026 + 18 - age),
        "dob": f"{1 + number % 12}/{1 + number % 28}/{2026 - age}",
        "gender": "FM"[number % 2],
        "hispanic_ethnicity": "",
        "race": "",
        "ell_status": "N",
        "location": _location_field(number),
        "enrollments": [
            {"school": school.id, "start_date": "2025-08-18", "end_date": "2026-06-12"}
            for school in one.schools
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


def _teacher_fields(_person: Person, one: RoleAssignment) -> Record:
    return {
        "school": one.schools[0].id,
        "sis_id": one.number,
        "teacher_number": one.number,
        "state_id": f"T{one.number}",
        "title": "Teacher",
    }


def _staff_fields(_person: Person, one: RoleAssignment) -> Record:
    return {
        "staff_id": one.number,
        "title": one.title,
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
