"""Children who come to school for the first time."""

import random
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from itertools import count

from clever_simulator import names
from clever_simulator.directory import Directory
from clever_simulator.ids import made_id
from clever_simulator.people import Name, Person, Post, School
from clever_simulator.school_years import SchoolYear, enrolled, teaches


def newcomers(
    directory: Directory,
    everyone: list[Person],
    schools: Iterable[School],
    year: SchoolYear,
    now: str,
) -> Iterable[Person]:
    """As many in Kindergarten as there were, and one at least, in each school that has it."""
    students = [one for one in everyone if "student" in one.roles]
    chance = random.Random(f"{year.name} {len(everyone)}")  # noqa: S311 - repeatable on purpose
    taken = {one.user_name for one in (*directory.people, *everyone)}
    numbers = count(_highest(students) + 1)
    before: dict[str, int] = defaultdict(int)
    for one in students:
        post = one.post("student")
        if post.grade == "Kindergarten" and post.schools:
            before[post.schools[0].id] += 1
    for school in schools:
        if teaches(school, "Kindergarten"):
            for _ in range(max(1, before[school.id])):
                name = Name(first=chance.choice(names.FIRST), last=chance.choice(names.LAST))
                yield _child(school, name, _free(name, taken), str(next(numbers)), year, now)


def _child(
    school: School, name: Name, user_name: str, number: str, year: SchoolYear, now: str
) -> Person:
    person_id = made_id(0, "newcomer", school.district.id, year.name, user_name)
    facts = {"dob": f"9/15/{year.first - 6}", "graduation_year": str(year.first + 13)}
    post = Post(
        role="student",
        legacy_id=person_id,
        schools=(school,),
        number=number,
        grade="Kindergarten",
        facts=facts,
    )
    return Person(
        id=person_id,
        district=school.district,
        user_name=user_name,
        name=name,
        posts=(enrolled(post, year.days),),
        created=now,
        last_modified=now,
    )


def _free(name: Name, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", f"{name.first}.{name.last}").encode("ascii", "ignore")
    base = plain.decode().lower().replace("'", "")
    tries = (base if number == 1 else f"{base}{number}" for number in count(1))
    user_name = next(one for one in tries if one not in taken)
    taken.add(user_name)
    return user_name


def _highest(students: list[Person]) -> int:
    numbers = (one.post("student").number for one in students)
    return max((int(one) for one in numbers if one.isascii() and one.isdecimal()), default=900_000)
