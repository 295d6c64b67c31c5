"""A district with the cases that Clever's certification guides name.

Clever reviews new apps with a data set named Certification ISD, which is not public. This district
is not a copy of it. It has what the guides say an app must handle.
"""

from dataclasses import dataclass, field
from typing import Any

from clever_simulator.directory.directory import Directory, make_id
from clever_simulator.directory.models import (
    District,
    Name,
    Person,
    Role,
    RoleAssignment,
    School,
    Section,
)

DISTRICT = ("#DEMO Certification Independent School District", "certification")
# (name, lowest grade, highest grade, fields to replace). Nobody is at the last two.
SCHOOLS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("Juniper Elementary School", "PreKindergarten", "5", {}),
    ("Juniper High School", "9", "12", {}),
    ("Juniper Virtual Academy", "Kindergarten", "12", {}),
    (
        "Juniper Annex",
        "",
        "",
        {"low_grade": None, "high_grade": None, "location": {}, "principal": {}, "phone": ""},
    ),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One person. `schools` are indexes into SCHOOLS, and `facts` replaces fields of each role."""

    user_name: str
    first: str
    last: str
    roles: tuple[Role, ...] = ("student",)
    schools: tuple[int, ...] = (0,)
    grade: str = "3"
    has_email: bool = True
    email: str = ""
    facts: dict[str, Any] = field(default_factory=dict, hash=False)
    guaranteed_only: bool = False


CASES = (
    Case(user_name="cert_student", first="Ines", last="Abara"),
    Case(user_name="cert_no_email", first="Bo", last="Ahn", has_email=False),
    Case(
        user_name="cert_guaranteed",
        first="Cy",
        last="Amos",
        has_email=False,
        schools=(),
        grade="",
        guaranteed_only=True,
    ),
    Case(
        user_name="cert_no_fields",
        first="Dee",
        last="Avila",
        facts={
            "grade": None,
            "student_number": None,
            "state_id": None,
            "dob": None,
            "gender": None,
            "credentials": {},
            "location": {},
            "enrollments": [],
        },
    ),
    Case(user_name="cert_two_schools", first="Eli", last="Baker", schools=(1, 2), grade="9"),
    Case(user_name="cert_new", first="Fay", last="Bell"),  # in no section yet
    Case(user_name="cert_twin_1", first="Alex", last="Kim"),
    Case(user_name="cert_twin_2", first="Alex", last="Kim"),
    Case(
        user_name="cert_twin_teacher",
        first="Alex",
        last="Kim",
        roles=("teacher",),
        email="cert_twin_1@certification.example",
    ),
    Case(user_name="cert_characters", first="Zoé-Łucja", last="O’Brien, Jr. 李"),
    Case(user_name="cert_grade_other", first="Gus", last="Cole", grade="Other"),
    Case(user_name="cert_prek", first="Hal", last="Cruz", grade="PreKindergarten"),
    Case(user_name="cert_teacher", first="Ida", last="Dale", roles=("teacher",)),
    Case(user_name="cert_co_teacher", first="Jo", last="Dunn", roles=("teacher",)),
    Case(user_name="cert_no_sections", first="Kai", last="Ellis", roles=("teacher",)),
    Case(
        user_name="cert_teacher_no_email",
        first="Lu",
        last="Frost",
        roles=("teacher",),
        has_email=False,
    ),
    Case(
        user_name="cert_teacher_staff",
        first="Mae",
        last="Grant",
        roles=("teacher", "staff"),
        schools=(0, 1),
    ),
    Case(user_name="cert_staff", first="Ned", last="Hardy", roles=("staff",), schools=(0, 1, 2)),
    Case(user_name="cert_staff_no_school", first="Oz", last="Hale", roles=("staff",), schools=()),
    Case(user_name="cert_admin", first="Pia", last="Irwin", roles=("district_admin",)),
    Case(
        user_name="cert_all_roles",
        first="Quin",
        last="Jones",
        roles=("teacher", "staff", "district_admin"),
    ),
)
# The teacher of this section is not shared with apps, so the section has no teacher.
HIDDEN_TEACHER = Case(user_name="cert_hidden", first="Rex", last="Kerr", roles=("teacher",))
_ALL = "cert_student cert_no_email cert_guaranteed cert_no_fields cert_twin_1 cert_twin_2"
_YOUNG = "cert_characters cert_grade_other cert_prek"


@dataclass(frozen=True, kw_only=True)
class Class:
    """One section. `teachers` and `students` are user names, the primary teacher first."""

    name: str
    teachers: str
    students: str = ""
    school: int = 0
    facts: dict[str, Any] = field(default_factory=dict, hash=False)


CLASSES = (
    Class(name="Homeroom 3A", teachers="cert_teacher cert_co_teacher", students=_ALL),
    Class(
        name="Reading, co-taught", teachers="cert_co_teacher cert_teacher_staff", students=_YOUNG
    ),
    Class(name="Without students", teachers="cert_teacher"),
    Class(name="Without a teacher", teachers="cert_hidden", students=_ALL),
    Class(
        name="Without a term or course",
        teachers="cert_teacher_no_email",
        students=f"{_ALL} {_YOUNG}",
        facts={"term_id": None, "course": None, "period": "", "subject": "", "grade": ""},
    ),
    Class(
        name="Last spring",
        teachers="cert_teacher",
        students=_ALL,
        facts={
            "term": {"name": "Spring 2020", "start_date": "2020-01-06", "end_date": "2020-06-05"}
        },
    ),
    Class(name="Algebra", teachers="cert_twin_teacher", students="cert_two_schools", school=1),
    Class(name="Algebra", teachers="cert_all_roles", students="cert_two_schools", school=2),
    Class(name="", teachers="cert_teacher", students="cert_student"),
)


def build_directory(seed: int = 1) -> Directory:
    """Builds the district. Equal seeds give equal people."""
    name, shortname = DISTRICT
    district = District(id=make_id(seed, "district", shortname), name=name, shortname=shortname)
    schools = tuple(_build_school(seed, district, number) for number in range(len(SCHOOLS)))
    people = {
        case.user_name: _build_person(seed, district, schools, 340001 + number, case)
        for number, case in enumerate((*CASES, HIDDEN_TEACHER))
    }
    sections = tuple(
        _build_section(seed, schools, people, number) for number in range(len(CLASSES))
    )
    del people[HIDDEN_TEACHER.user_name]
    return Directory(
        districts=(district,),
        schools=schools,
        people=tuple(people.values()),
        sections=sections,
        named_people=tuple(people.values()),
    )


def _build_school(seed: int, district: District, number: int) -> School:
    name, low, high, facts = SCHOOLS[number]
    return School(
        id=make_id(seed, "school", district.shortname, name),
        district=district,
        name=name,
        number=str(3001 + number),
        low_grade=low,
        high_grade=high,
        facts=facts,
    )


def _build_person(
    seed: int, district: District, schools: tuple[School, ...], number: int, case: Case
) -> Person:
    person_id = make_id(seed, "person", district.shortname, case.user_name)
    assignments = tuple(
        RoleAssignment(
            role=role,
            legacy_id=person_id if role == "student" else make_id(seed, role, person_id),
            schools=()
            if role == "district_admin"
            else tuple(schools[index] for index in case.schools),
            number=str(number),
            title={"staff": "Counselor", "district_admin": "Director"}.get(role, ""),
            grade=case.grade if role == "student" else "",
            facts=case.facts,
        )
        for role in case.roles
    )
    email = case.email or f"{case.user_name}@{district.shortname}.example"
    return Person(
        id=person_id,
        district=district,
        user_name=case.user_name,
        name=Name(first=case.first, last=case.last),
        role_assignments=assignments,
        email=email if case.has_email else None,
        guaranteed_only=case.guaranteed_only,
    )


def _build_section(
    seed: int, schools: tuple[School, ...], people: dict[str, Person], number: int
) -> Section:
    described = CLASSES[number]
    teacher, *co_teachers = (people[name] for name in described.teachers.split())
    school = schools[described.school]
    return Section(
        id=make_id(seed, "section", school.district.shortname, number),
        school=school,
        name=described.name,
        subject="other",
        grade="3",
        period=str(1 + number % 6),
        teacher=teacher,
        co_teachers=tuple(co_teachers),
        students=tuple(people[name] for name in described.students.split()),
        facts=described.facts,
    )
