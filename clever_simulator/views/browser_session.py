"""What the simulator remembers of one browser: the only file that reads or writes its session."""

from flask import session

from clever_simulator.directory.models import District, Person
from clever_simulator.state import simulator_state


def logged_in_person() -> Person | None:
    """Who is logged in to the simulator in this browser."""
    return simulator_state().people.by_id(session.get("person"))


def impersonating_admin() -> Person | None:
    """The district admin who acts as the person in this browser."""
    return simulator_state().people.by_id(session.get("admin"))


def start_impersonation(one: Person) -> None:
    """Makes whoever is logged in, an admin, act as this person."""
    session["admin"] = session.get("admin") or session["person"]
    session["person"] = one.id


def stop_impersonation() -> None:
    """Ends that; nothing happens where nobody acts as another."""
    session["person"] = session.pop("admin", session.get("person"))


def last_district() -> District | None:
    """The district that this browser was last seen in, logged in or not."""
    return simulator_state().people.district(session.get("district"))


def remember_district(one: District) -> None:
    """Makes this the district of the browser."""
    session["district"] = one.id


def log_in(one: Person) -> None:
    """Replaces whoever was logged in."""
    session.clear()
    session["person"] = one.id
    remember_district(one.district)


def log_out() -> None:
    """Forgets the person and keeps the district, as a school's computer would."""
    for key in ("person", "admin", "confirmed", "account"):
        session.pop(key, None)


def store_choice(key: str, value: str) -> None:
    """Keeps an answer of the person (`confirmed`, `account`) for the next step only."""
    session[key] = value


def take_choice(key: str) -> str | None:
    """The answer that was kept, which is thereby used up."""
    value: str | None = session.pop(key, None)
    return value
