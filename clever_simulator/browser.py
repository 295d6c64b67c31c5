"""What the simulator remembers of one browser: the only file that reads or writes its session."""

from flask import session

from clever_simulator.people import District, Person
from clever_simulator.world import world


def person() -> Person | None:
    """Who is logged in to the simulator in this browser."""
    return world().people.by_id(session.get("person"))


def admin() -> Person | None:
    """The district admin who acts as the person in this browser."""
    return world().people.by_id(session.get("admin"))


def act_as(one: Person) -> None:
    """Makes whoever is logged in, an admin, act as this person."""
    session["admin"] = session.get("admin") or session["person"]
    session["person"] = one.id


def act_as_oneself() -> None:
    """Ends that; nothing happens where nobody acts as another."""
    session["person"] = session.pop("admin", session.get("person"))


def district() -> District | None:
    """The district that this browser was last seen in, logged in or not."""
    return world().people.district(session.get("district"))


def remember(one: District) -> None:
    """Makes this the district of the browser."""
    session["district"] = one.id


def log_in(one: Person) -> None:
    """Replaces whoever was logged in."""
    session.clear()
    session["person"] = one.id
    remember(one.district)


def log_out() -> None:
    """Forgets the person and keeps the district, as a school's computer would."""
    for key in ("person", "admin", "confirmed", "account"):
        session.pop(key, None)


def note(key: str, value: str) -> None:
    """Keeps an answer of the person (`confirmed`, `account`) for the next step only."""
    session[key] = value


def take(key: str) -> str | None:
    """The answer that was kept, which is thereby used up."""
    value: str | None = session.pop(key, None)
    return value
