"""School years and grades: when a year starts, and which grade follows another."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from clever_simulator.directory import sample_names
from clever_simulator.directory.models import RoleAssignment, School

_GRADE_ORDER = (
    *("InfantToddler", "Preschool", "PreKindergarten", "TransitionalKindergarten"),
    *sample_names.GRADES,
    *("13", "PostGraduate"),
)
_NEXT_GRADE = dict(zip(sample_names.GRADES, sample_names.GRADES[1:], strict=False)) | {
    "InfantToddler": "Preschool",
    "Preschool": "PreKindergarten",
    "PreKindergarten": "Kindergarten",
    "TransitionalKindergarten": "Kindergarten",
}
GRADUATING_GRADES = ("12", "13", "PostGraduate")


@dataclass(frozen=True, kw_only=True)
class SchoolYear:
    """A school year. `first` is the calendar year of its August."""

    first: int

    @property
    def name(self) -> str:
        """The name as districts write it: 2026-27."""
        return f"{self.first}-{(self.first + 1) % 100:02}"

    @property
    def starts_at(self) -> float:
        """The first day, in seconds since 1970."""
        return datetime(self.first, 8, 16, 12, tzinfo=UTC).timestamp()

    @property
    def days(self) -> dict[str, Any]:
        """The first and last day, in the format of records."""
        return {"start_date": f"{self.first}-08-16", "end_date": f"{self.first + 1}-06-10"}

    @property
    def term(self) -> dict[str, Any]:
        """The full-year term."""
        return {"name": self.name, **self.days}

    @property
    def spring(self) -> dict[str, Any]:
        """The spring term."""
        return self.term | {
            "name": f"Spring {self.first + 1}",
            "start_date": f"{self.first + 1}-01-11",
        }


def next_school_year(seconds: float) -> SchoolYear:
    """Returns the first school year that starts after this time."""
    year = SchoolYear(first=datetime.fromtimestamp(seconds, UTC).year)
    return year if year.starts_at > seconds else SchoolYear(first=year.first + 1)


def current_school_year(seconds: float) -> SchoolYear:
    """Returns the school year of this time. Summer belongs to the year that has ended."""
    return SchoolYear(first=next_school_year(seconds).first - 1)


def next_grade(grade: str) -> str:
    """Returns the grade a year later. Values outside the grade sequence stay the same."""
    return _NEXT_GRADE.get(grade, grade)


def school_has_grade(school: School, grade: str) -> bool:
    """Whether a school has a grade. True for values outside the grade sequence."""
    if grade not in _GRADE_ORDER:
        return True
    low = _GRADE_ORDER.index(school.low_grade) if school.low_grade in _GRADE_ORDER else 0
    high = (
        _GRADE_ORDER.index(school.high_grade)
        if school.high_grade in _GRADE_ORDER
        else len(_GRADE_ORDER)
    )
    return low <= _GRADE_ORDER.index(grade) <= high


def with_enrollments(
    assignment: RoleAssignment, days: Mapping[str, object] | None = None
) -> RoleAssignment:
    """Returns a student's role with one enrollment per school, for the year of these days."""
    enrollments_before = assignment.facts.get("enrollments") or [{}]
    fields = days or {
        name: value for name, value in enrollments_before[0].items() if name != "school"
    }
    if not fields:
        return assignment
    enrollments = [{"school": school.id, **fields} for school in assignment.schools]
    return replace(assignment, facts={**assignment.facts, "enrollments": enrollments})
