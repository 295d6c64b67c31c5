"""The people of a district's CSV files: who they are, and the name that each logs in by."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from clever_simulator import csv_records, csv_values
from clever_simulator.csv_files import Row
from clever_simulator.ids import made_id
from clever_simulator.people import District, Name, Person, Post, Role, School


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How one role is written down; `number` is the column that is their user name, too."""

    role: Role
    file: str
    id: str
    number: str
    email: str
    facts: Callable[[Row], dict[str, Any]]


KINDS = (
    Kind(
        role="student",
        file="students.csv",
        id="Student_id",
        number="Student_number",
        email="Student_email",
        facts=csv_records.student,
    ),
    Kind(
        role="teacher",
        file="teachers.csv",
        id="Teacher_id",
        number="Teacher_number",
        email="Teacher_email",
        facts=csv_records.teacher,
    ),
    Kind(
        role="staff",
        file="staff.csv",
        id="Staff_id",
        number="Staff_id",
        email="Staff_email",
        facts=csv_records.staff,
    ),
)

# All lines of one person in one file: one for each school, and one for each contact.
Part = tuple[Kind, list[Row]]


class People:
    """Everybody of one district, also by role and the id that the files have for them."""

    def __init__(
        self,
        seed: int,
        district: District,
        rows: dict[str, list[Row]],
        schools: dict[str, School],
    ) -> None:
        self._seed, self._district, self._schools = seed, district, schools
        self._user_names: set[str] = set()
        self.everybody: list[Person] = []
        self.by_id: dict[Role, dict[str, Person]] = {kind.role: {} for kind in KINDS}
        for parts in _grouped(rows):
            person = self._person(parts)
            self.everybody.append(person)
            for kind, lines in parts:
                self.by_id[kind.role][lines[0].get(kind.id)] = person

    def _person(self, parts: list[Part]) -> Person:
        kind, lines = parts[0]
        row = lines[0]
        person_id = self._id(kind.role, row.get(kind.id))
        return Person(
            id=person_id,
            district=self._district,
            user_name=self._user_name(kind, row),
            has_user_name=bool(row.get("Username")),
            name=Name(
                first=row.get("First_name"),
                last=row.get("Last_name"),
                middle=row.get("Middle_name"),
            ),
            posts=tuple(self._post(person_id, *part) for part in parts),
            email=row.get(kind.email) or None,
        )

    def _post(self, person_id: str, kind: Kind, lines: list[Row]) -> Post:
        student, row = kind.role == "student", lines[0]
        schools = {line.get("School_id"): line for line in lines}.values()
        return Post(
            role=kind.role,
            legacy_id=person_id if student else self._id("old", kind.role, row.get(kind.id)),
            schools=tuple(line.refers_to("School_id", self._schools) for line in schools),
            number=row.get(kind.number) or row.get(kind.id),
            title=row.get("Title"),
            grade=csv_values.grade(row.get("Grade")) if student else "",
            facts=kind.facts(row),
        )

    def _user_name(self, kind: Kind, row: Row) -> str:
        # Small letters, because that is what the log-in page makes of what is typed.
        own_id = row.get(kind.id)
        tries = (row.get("Username"), row.get(kind.number), own_id, f"{kind.role}-{own_id}")
        free = (each.lower() for each in tries if each and each.lower() not in self._user_names)
        user_name = next(free, self._id("user name", kind.role, own_id))
        self._user_names.add(user_name)
        return user_name

    def _id(self, *what: object) -> str:
        return made_id(self._seed, self._district.shortname, *what)


def _grouped(rows: dict[str, list[Row]]) -> Iterable[list[Part]]:
    """The parts of each person: a teacher and staff with one email are one person at Clever."""
    found: dict[str, list[Part]] = {}
    for kind in KINDS:
        for one_id, lines in _of_each(kind, rows[kind.file]).items():
            email, alone = lines[0].get(kind.email).lower(), f"{kind.role} {one_id}"
            shared = f"employee {email}" if email and kind.role != "student" else alone
            has_role = any(kind is other for other, _ in found.get(shared, ()))
            found.setdefault(alone if has_role else shared, []).append((kind, lines))
    return found.values()


def _of_each(kind: Kind, rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        one_id = row.get(kind.id)
        lines = found.setdefault(one_id, [])
        lines.append(row)
        if any(row.get(name) != lines[0].get(name) for name in ("First_name", "Last_name")):
            raise row.error(f"the {kind.id} {one_id!r} is somebody else on line {lines[0].line}.")
    return found
