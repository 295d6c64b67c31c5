"""Two districts generated from a seed. The same seed gives the same people and IDs."""

import random
import unicodedata
from collections.abc import Iterable

from clever_simulator.directory import sample_names
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

STUDENTS_PER_SCHOOL = 20
TEACHERS_PER_SCHOOL = 2


def build_directory(seed: int = 1) -> Directory:
    """Builds the two standard districts of a seed, including the named people."""
    return _DirectoryBuilder(seed).build()


class _DirectoryBuilder:
    """Holds the state of one directory while it is built."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 # repeatable on purpose
        self.people: list[Person] = []
        self.named: list[Person] = []
        self.schools: list[School] = []
        self.sections: list[Section] = []
        self.user_names: set[str] = set()

    def build(self) -> Directory:
        districts = tuple(self._district(*entry) for entry in sample_names.DISTRICTS)
        for district, named in zip(
            districts, (sample_names.NAMED_PEOPLE, sample_names.NAMED_PEOPLE_ELSEWHERE), strict=True
        ):
            for entry in named:
                self._add_named_person(district, *entry)
        for school in self.schools:
            self._fill_school(school)
        return Directory(
            districts=districts,
            schools=tuple(self.schools),
            people=tuple(self.people),
            sections=tuple(self.sections),
            named_people=tuple(self.named),
        )

    def _id(self, *parts: object) -> str:
        return make_id(self.seed, *parts)

    def _district(
        self, name: str, shortname: str, schools: Iterable[tuple[str, str, str]]
    ) -> District:
        district = District(id=self._id("district", shortname), name=name, shortname=shortname)
        for school_name, low, high in schools:
            self.schools.append(
                School(
                    id=self._id("school", school_name),
                    district=district,
                    name=school_name,
                    number=str(1001 + len(self.schools)),
                    low_grade=low,
                    high_grade=high,
                )
            )
        return district

    def _schools_of(self, district: District) -> list[School]:
        return [school for school in self.schools if school.district == district]

    def _add_named_person(
        self, district: District, user_name: str, first: str, last: str, roles: Iterable[Role]
    ) -> None:
        sparse = user_name == "sparse"
        schools = [] if sparse else self._schools_of(district)[-1:]
        if user_name == "teacher_admin":
            schools = self._schools_of(district)[2:]  # two schools, so that pages show the plural
        person = self._add_person(
            district, schools, Name(first=first, last=last), tuple(roles), user_name
        )
        self.named.append(person)

    def _fill_school(self, school: School) -> None:
        people = [person for person in self.people if school in person.schools]
        teachers = [person for person in people if "teacher" in person.roles]
        students = [person for person in people if person.roles == ("student",)]
        for _ in range(max(0, TEACHERS_PER_SCHOOL - len(teachers))):
            teachers.append(self._add_random_person(school, "teacher"))
        if not any("staff" in person.roles for person in people):
            self._add_random_person(school, "staff")
        for _ in range(STUDENTS_PER_SCHOOL - len(students)):
            students.append(self._add_random_person(school, "student"))
        for teacher in teachers[:TEACHERS_PER_SCHOOL]:
            self._add_sections(school, teacher, students)

    def _add_sections(self, school: School, teacher: Person, students: list[Person]) -> None:
        for _ in range(2):
            count = len(self.sections)
            name, subject = sample_names.SUBJECTS[count % len(sample_names.SUBJECTS)]
            self.sections.append(
                Section(
                    id=self._id("section", count),
                    school=school,
                    name=name,
                    subject=subject,
                    grade=school.low_grade,
                    period=str(1 + count % 6),
                    teacher=teacher,
                    students=tuple(students[:1] + self.random.sample(students[1:], 11)),
                )
            )

    def _add_random_person(self, school: School, role: Role) -> Person:
        name = Name(
            first=self.random.choice(sample_names.FIRST_NAMES),
            last=self.random.choice(sample_names.LAST_NAMES),
        )
        return self._add_person(school.district, [school], name, (role,), self._user_name(name))

    def _user_name(self, name: Name) -> str:
        plain = unicodedata.normalize("NFKD", f"{name.first}.{name.last}").encode("ascii", "ignore")
        base = plain.decode().lower().replace("'", "")
        candidates = (base if number == 1 else f"{base}{number}" for number in range(1, 1000))
        return next(user_name for user_name in candidates if user_name not in self.user_names)

    def _add_person(
        self,
        district: District,
        schools: list[School],
        name: Name,
        roles: tuple[Role, ...],
        user_name: str,
    ) -> Person:
        person_id, sparse = self._id("person", user_name), user_name == "sparse"
        # Young children often have no email in Clever, so one student in four has none.
        email = not sparse and (roles != ("student",) or len(self.people) % 4 != 3)
        person = Person(
            id=person_id,
            district=district,
            user_name=user_name,
            name=name,
            role_assignments=tuple(
                self._build_assignment(person_id, user_name, role, schools) for role in roles
            ),
            email=f"{user_name}@{district.shortname}.example" if email else None,
            guaranteed_only=sparse,
        )
        self.user_names.add(user_name)
        self.people.append(person)
        return person

    def _build_assignment(
        self, person_id: str, user_name: str, role: Role, schools: list[School]
    ) -> RoleAssignment:
        is_student = role == "student"
        return RoleAssignment(
            role=role,
            # Only students kept their ID from before API v3.
            legacy_id=person_id if is_student else self._id(role, user_name),
            schools=() if role == "district_admin" else tuple(schools),
            number=str(200001 + 7 * len(self.people)),
            title={"staff": "Principal", "district_admin": "Technology Director"}.get(role, ""),
            grade=self._grade(schools[0]) if is_student and schools else "",
        )

    def _grade(self, school: School) -> str:
        low, high = (
            sample_names.GRADES.index(school.low_grade),
            sample_names.GRADES.index(school.high_grade),
        )
        return self.random.choice(sample_names.GRADES[low : high + 1])
