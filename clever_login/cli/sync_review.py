"""`flask clever sync --review`: what is on hold, by school. It prints numbers, and no names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import select

from clever_login.cli.output import format_time
from clever_login.db.database import database
from clever_login.db.models import District, HeldRemoval
from clever_login.errors import DatabaseUnavailable
from clever_login.rosters import removal_review
from clever_login.rosters.removal_review import HeldSchool, Review
from clever_login.rosters.viewers import operator
from clever_login.safe_output import command_failed, echo

_NOUNS = {
    "student": ("student", "students"),
    "teacher": ("teacher", "teachers"),
    "staff": ("other member of staff", "other members of staff"),
    "": ("person", "people"),
}


def print_review(district_id: str | None) -> None:
    """Print what is on hold in all districts, or in one."""
    try:
        with database().read_session() as session:
            is_held = District.id.in_(select(HeldRemoval.district_id))
            query = select(District.id, District.name).where(is_held)
            if district_id:
                query = query.where(District.id == district_id)
            found = [
                (row.id, row.name, review)
                for row in session.execute(query.order_by(District.name, District.id))
                if (
                    review := removal_review.load_review(
                        session.connection(), operator(row.id), names=False
                    )
                )
            ]
    except DatabaseUnavailable as error:
        raise command_failed(f"{error}.") from None
    for held_id, name, review in found:
        for line in _lines(held_id, name, review):
            echo(line)
    if not found:
        echo("Nothing is on hold.")


def _lines(district_id: str, name: str, review: Review) -> Iterator[str]:
    yield f"{name or 'District'} ({district_id}): on hold since {format_time(review.since)}."
    for school in review.schools:
        name = f"{school.name or 'School'} ({school.id})" if school.id else "Without a school"
        yield f"  {name}: {', '.join(_parts(school))}"
    if review.terms:
        yield f"  {_count(review.terms, 'term', 'terms')}"
    if review.courses:
        yield f"  {_count(review.courses, 'course', 'courses')}"
    if review.is_approved:
        yield "  The removal is approved. The next sync makes it."
    else:
        yield (
            f"  If the removals are right, run: flask clever sync --district {district_id} --yes"
        )


def _parts(school: HeldSchool) -> Iterator[str]:
    if school.is_missing:
        yield "the school itself"
    yield from _people(school.people)
    if school.sections:
        yield _count(school.sections, "class", "classes")
    for part in _people(school.moves):
        yield f"{part} leaving this school"
    for part in _people(school.enrollments):
        yield f"{part} in classes that remain"


def _people(people: Counter[str]) -> Iterator[str]:
    for role, nouns in _NOUNS.items():
        if people[role]:
            yield _count(people[role], *nouns)


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"
