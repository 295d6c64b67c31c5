"""What a person's token may read: its own user, and as much around it as the app's tier allows."""

from dataclasses import dataclass

from clever_simulator import related
from clever_simulator.config import Tier
from clever_simulator.index import Index, Thing
from clever_simulator.people import Person
from clever_simulator.tokens import Login, Token
from clever_simulator.versions import VERSIONS

_RECORD = ""  # the record itself, where the others are what is listed below it


@dataclass(frozen=True)
class _Door:
    """What a tier opens to a person, as the parts of a path that may follow the id."""

    own: frozenset[str] = frozenset()
    school: frozenset[str] = frozenset()
    district: frozenset[str] = frozenset()
    own_section: frozenset[str] = frozenset()
    own_student: frozenset[str] = frozenset()


def _parts(text: str) -> frozenset[str]:
    return frozenset({_RECORD, *text.split()})


_DOORS: dict[Tier, _Door] = {
    "secure_sync": _Door(
        own=_parts("district school schools sections"),
        school=_parts("district"),
        district=_parts(""),
        own_section=_parts(""),
    ),
    "sso": _Door(own=_parts("district"), district=_parts("")),
    "library": _Door(
        own=_parts("sections students mystudents"),
        own_section=_parts("students users"),
        own_student=_parts(""),
    ),
}
_STUDENT_OF_LIBRARY = _Door(own=_parts(""))


def is_whole(token: Token) -> bool:
    """Whether a token reads everything of its district."""
    return token.login is None and token.app.tier == "secure_sync"


def opens(token: Token, version: str, collection: str, nested: str | None) -> bool:
    """Whether such a token ever reads anything at such an endpoint."""
    if is_whole(token):
        return True
    kind = VERSIONS[version].collections[collection].kind
    if token.login is None:
        return kind == "district" and nested is None
    door = _door(token.login)
    doors = {"school": door.school, "district": door.district, "section": door.own_section}
    return (nested or _RECORD) in doors.get(kind, door.own | door.own_student)


def reads(token: Token, index: Index, thing: Thing, kind: str, nested: str | None) -> bool:
    """Whether a token reads this very thing, or what is `nested` below it."""
    login, part = token.login, nested or _RECORD
    if login is None:
        return is_whole(token) or (kind == "district" and nested is None)
    door = _door(login)
    if kind == "school":
        return part in door.school
    if kind == "district":
        return part in door.district
    person = index.people.get(login.person.id)
    if person is None:
        return False
    if kind == "section":
        own = related.below(index, person, "sections")
        return part in door.own_section and any(one is thing for one in own)
    if thing is person:  # before v3 the record of another role is somebody else's
        return part in door.own and kind in ("user", login.role)
    taught = person if "teacher" in person.roles else None
    return part in door.own_student and taught is not None and _teaches(index, taught, thing)


def _teaches(index: Index, teacher: Person, thing: Thing) -> bool:
    return any(student is thing for student in related.below(index, teacher, "mystudents"))


def _door(login: Login) -> _Door:
    if login.app.tier == "library" and login.role != "teacher":
        return _STUDENT_OF_LIBRARY
    return _DOORS[login.app.tier]
