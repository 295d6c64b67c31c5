"""What the columns of Clever's CSV files are called in Clever's records."""

from typing import Any

from clever_simulator import csv_values
from clever_simulator.csv_files import Row


def school(row: Row) -> dict[str, Any]:
    """What a school's record says besides name and grades."""
    return {
        "sis_id": row.get("School_id"),
        "school_number": row.get("School_number"),
        "state_id": row.get("State_id"),
        "nces_id": "",
        "mdr_number": "",
        "phone": row.get("School_phone"),
        "principal": {"name": row.get("Principal"), "email": row.get("Principal_email")},
        "location": _location(row, "School", "address"),
    }


def student(row: Row) -> dict[str, Any]:
    """What a student's record says besides name, email and schools."""
    return _credentials(row) | {
        "sis_id": row.get("Student_id"),
        "student_number": row.get("Student_number"),
        "state_id": row.get("State_id"),
        "grade": csv_values.grade(row.get("Grade")),
        "gender": csv_values.gender(row.get("Gender")),
        "graduation_year": row.get("Graduation_year"),
        "dob": csv_values.birthday(row.get("DOB")) or None,
        "race": csv_values.race(row.get("Race")),
        "hispanic_ethnicity": csv_values.yes_or_no(row.get("Hispanic_Latino")),
        "home_language": row.get("Home_language") or None,
        "home_language_code": None,
        "ell_status": csv_values.yes_or_no(row.get("Ell_status")),
        "frl_status": csv_values.lunch(row.get("Frl_status")),
        "iep_status": csv_values.yes_or_no(row.get("IEP_status")),
        "location": _location(row, "Student", "street"),
    }


def teacher(row: Row) -> dict[str, Any]:
    """What a teacher's record says besides name, email and schools."""
    return _credentials(row) | {
        "sis_id": row.get("Teacher_id"),
        "teacher_number": row.get("Teacher_number"),
        "state_id": row.get("State_teacher_id"),
        "title": row.get("Title"),
    }


def staff(row: Row) -> dict[str, Any]:
    """What the record of staff says besides name, email and schools."""
    lead = row.get("Role").lower().replace(" ", "") == "schooltechlead"
    return _credentials(row) | {
        "staff_id": row.get("Staff_id"),
        "title": row.get("Title"),
        "department": row.get("Department"),
        "roles": ["SchoolTechLead"] if lead else [],
    }


def section(row: Row) -> dict[str, Any]:
    """What a section's record says besides name, subject, people and period."""
    return {
        "sis_id": row.get("Section_id"),
        "section_number": row.get("Section_number"),
        "course_name": row.get("Course_name"),
        "course_number": row.get("Course_number"),
        "course_description": row.get("Course_description"),
        "term": {
            "name": row.get("Term_name"),
            "start_date": csv_values.day(row.get("Term_start")),
            "end_date": csv_values.day(row.get("Term_end")),
        },
    }


def _credentials(row: Row) -> dict[str, Any]:
    name = row.get("Username")
    return {"credentials": {"district_username": name}} if name else {}


def _location(row: Row, whose: str, street: str) -> dict[str, str]:
    columns = {"address": street, "city": "city", "state": "state", "zip": "zip"}
    found = {name: row.get(f"{whose}_{column}") for name, column in columns.items()}
    return found | {"lat": "", "lon": ""}
