"""What a user's token may read: its own user, and what the app's tier allows around it."""

from dataclasses import dataclass

from clever_simulator.config import Tier
from clever_simulator.credentials.tokens import Login, Token
from clever_simulator.data_api import relations
from clever_simulator.data_api.index import DistrictIndex, Entity
from clever_simulator.data_api.versions import VERSIONS
from clever_simulator.directory.models import Person

_DISTRICT_PATHS = (None, "status")  # what a district's token reads without Secure Sync
_RECORD_ITSELF = ""  # the record itself; other parts are lists below it


@dataclass(frozen=True)
class _AccessRule:
    """What a tier lets a user read: the path parts that may follow the ID."""

    own_user: frozenset[str] = frozenset()
    school: frozenset[str] = frozenset()
    district: frozenset[str] = frozenset()
    own_section: frozenset[str] = frozenset()
    own_student: frozenset[str] = frozenset()


def _path_parts(text: str) -> frozenset[str]:
    return frozenset({_RECORD_ITSELF, *text.split()})


_ACCESS_RULES: dict[Tier, _AccessRule] = {
    "secure_sync": _AccessRule(
        own_user=_path_parts("district school schools sections"),
        school=_path_parts("district"),
        district=_path_parts(""),
        own_section=_path_parts(""),
    ),
    "sso": _AccessRule(own_user=_path_parts("district"), district=_path_parts("")),
    "library": _AccessRule(
        own_user=_path_parts("sections students mystudents"),
        own_section=_path_parts("students users"),
        own_student=_path_parts(""),
    ),
}
# From v3 on, an app reads sections with the district's token.
_SECURE_SYNC_V3 = _AccessRule(
    own_user=_path_parts("district school schools"),
    school=_path_parts("district"),
    district=_path_parts(""),
)
_LIBRARY_STUDENT_RULE = _AccessRule(own_user=_path_parts(""))


def is_district_token(token: Token) -> bool:
    """Whether a token reads everything in its district."""
    return token.login is None and token.app.tier == "secure_sync"


def may_read_endpoint(token: Token, version: str, collection: str, nested: str | None) -> bool:
    """Whether such a token can read anything at such an endpoint."""
    if is_district_token(token):
        return True
    kind = VERSIONS[version].collections[collection].kind
    if token.login is None:
        return kind == "district" and nested in _DISTRICT_PATHS
    rule = _access_rule(token.login, version)
    allowed_parts = {"school": rule.school, "district": rule.district, "section": rule.own_section}
    return (nested or _RECORD_ITSELF) in allowed_parts.get(kind, rule.own_user | rule.own_student)


def may_read(
    token: Token,
    version: str,
    index: DistrictIndex,
    entity: Entity,
    kind: str,
    nested: str | None,
) -> bool:
    """Whether a token can read this entity, or the `nested` list below it."""
    login, path_part = token.login, nested or _RECORD_ITSELF
    if login is None:
        return is_district_token(token) or (kind == "district" and nested in _DISTRICT_PATHS)
    rule = _access_rule(login, version)
    if kind == "school":
        return path_part in rule.school
    if kind == "district":
        return path_part in rule.district
    person = index.people.get(login.person.id)
    if person is None:
        return False
    if kind == "section":
        sections = relations.find_nested(index, person, "sections")
        return path_part in rule.own_section and any(section is entity for section in sections)
    if entity is person:  # before v3, another role of the same person is another record
        return path_part in rule.own_user and kind in ("user", login.role)
    teacher = person if "teacher" in person.roles else None
    return (
        path_part in rule.own_student and teacher is not None and _teaches(index, teacher, entity)
    )


def _teaches(index: DistrictIndex, teacher: Person, entity: Entity) -> bool:
    return any(student is entity for student in relations.find_nested(index, teacher, "mystudents"))


def _access_rule(login: Login, version: str) -> _AccessRule:
    if login.app.tier == "secure_sync" and VERSIONS[version].one_id:
        return _SECURE_SYNC_V3
    if login.app.tier == "library" and login.role != "teacher":
        return _LIBRARY_STUDENT_RULE
    return _ACCESS_RULES[login.app.tier]
