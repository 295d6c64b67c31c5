"""The simulator's session data for one browser. Only this module reads or writes the session."""

from flask import session

from clever_simulator.directory.models import District, Person
from clever_simulator.state import simulator_state

_SESSION_SECONDS = 2 * 60 * 60


def logged_in_person(lasting: str = "browser") -> Person | None:
    """Returns the person who is logged in to the simulator in this browser, or None.

    `lasting` is the value of the switch `login_session`.
    """
    age = simulator_state().clock.now() - session.get("since", 0)
    if lasting == "2_hours" and age > _SESSION_SECONDS:
        return None
    return simulator_state().people.by_id(session.get("person"))


def impersonating_admin() -> Person | None:
    """Returns the district admin who impersonates the person in this browser, or None."""
    return simulator_state().people.by_id(session.get("admin"))


def start_impersonation(person: Person) -> None:
    """Makes the logged-in admin impersonate this person."""
    session["admin"] = session.get("admin") or session["person"]
    session["person"] = person.id


def stop_impersonation() -> None:
    """Ends impersonation. Does nothing if there is none."""
    session["person"] = session.pop("admin", session.get("person"))


def last_district() -> District | None:
    """Returns the district that this browser last used, logged in or not, or None."""
    return simulator_state().people.district(session.get("district"))


def remember_district(district: District) -> None:
    """Sets the district of this browser."""
    session["district"] = district.id


def log_in(person: Person) -> None:
    """Logs in a person and clears the previous session."""
    session.clear()
    session["person"] = person.id
    session["since"] = simulator_state().clock.now()
    remember_district(person.district)


def log_out() -> None:
    """Logs out the person and keeps the district, like a shared school computer."""
    for key in ("person", "admin", "confirmed", "account"):
        session.pop(key, None)


def store_choice(key: str, value: str) -> None:
    """Stores the person's answer (`confirmed`, `account`) for the next step only."""
    session[key] = value


def take_choice(key: str) -> str | None:
    """Returns the stored answer, or None, and removes it."""
    value: str | None = session.pop(key, None)
    return value
