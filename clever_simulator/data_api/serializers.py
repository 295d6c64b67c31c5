"""Serializes an entity for six API versions and three tiers."""

from collections.abc import Callable

from clever_simulator.config import Tier
from clever_simulator.data_api import class_records, records
from clever_simulator.data_api.derived_records import Contact
from clever_simulator.data_api.index import DistrictIndex, Entity, id_in_version
from clever_simulator.data_api.records import Record
from clever_simulator.data_api.versions import ROLE_NAMES_BEFORE_V3, VERSIONS, ApiVersion
from clever_simulator.directory.models import District, Person, Role, RoleAssignment

# Builders for everything except people and contacts. Library apps do not see where an entity is.
_RECORD_BUILDERS: dict[str, Callable[[ApiVersion, DistrictIndex, Entity], Record]] = {
    "district": lambda _rules, index, entity: records.district_record(entity) | index.facts,
    "status": lambda rules, index, entity: (
        records.status_record(entity) | _district_status(rules, index)
    ),
    "school": lambda _rules, _index, entity: records.school_record(entity),
    "section": class_records.section_record,
    "course": lambda _rules, _index, entity: class_records.course_record(entity),
    "term": lambda _rules, _index, entity: class_records.term_record(entity),
    "resource": lambda _rules, _index, entity: class_records.resource_record(entity),
}
_FIELDS_HIDDEN_FROM_LIBRARY = {
    "district",
    "school",
    "course",
    "term_id",
    "sis_id",
    "section_number",
}
_GRADE_FIELDS = ("grade", "low_grade", "high_grade")
_GRADES_BEFORE_V2_1 = {
    "PreKindergarten",
    "Kindergarten",
    *map(str, range(1, 13)),
    "PostGraduate",
    "Other",
}


_DEMOGRAPHICS = frozenset(
    {
        "disability",
        "dob",
        "ell_status",
        "frl_status",
        "gender",
        "gifted_status",
        "hispanic_ethnicity",
        "home_language",
        "home_language_code",
        "iep_status",
        "location",
        "race",
        "section_504_status",
    }
)


def serialize_me(version: str, person: Person, role: Role, tier: Tier) -> Record:
    """Returns the answer of /me. Before v3 `type` is the role, from v3 on it is `user`."""
    rules = VERSIONS[version]
    user_id = user_id_in_version(version, person, role)
    kind = "user" if rules.one_id else ROLE_NAMES_BEFORE_V3[role]
    inlined = rules.inlines_user and tier == "secure_sync"
    data: Record = serialize_user(version, person, role, tier) if inlined else {}
    data |= {"id": user_id, "type": kind} | _district_fields(person, tier, "district")
    if rules.authorized_by:
        data["authorized_by"] = _authorized_by(tier)
    links = [
        {"rel": "self", "uri": "/me"},
        {"rel": "canonical", "uri": f"/{version}/{kind}s/{user_id}"},
    ]
    if tier != "library":
        uri = f"/{version}/districts/{person.district.id}"
        links.append({"rel": "district", "uri": uri})
    return {"type": kind, "data": data, "links": links}


def serialize_district_me(version: str, district: District) -> Record:
    """Returns the answer of /me to a district token, which belongs to no user."""
    return {
        "type": "district",
        "data": {"id": district.id, "district": district.id, "type": "district"},
        "links": [
            {"rel": "self", "uri": "/me"},
            {"rel": "canonical", "uri": f"/{version}/districts/{district.id}"},
        ],
    }


def user_id_in_version(version: str, person: Person, role: Role) -> str:
    """Returns a person's ID: one for all roles from v3 on, one per role before."""
    return id_in_version(VERSIONS[version], role, person)


def serialize_user(version: str, person: Person, role: str, tier: Tier) -> Record:
    """Returns the record of a person. Before v3 it is the record of one role."""
    rules = VERSIONS[version]
    data = records.person_record(person)
    if rules.one_id:
        data["roles"] = {
            name: _role_fields(rules.fields[assignment.role], person, assignment, tier)
            for name, assignment in person.shared_assignments.items()
        }
        if tier == "secure_sync":
            data["lms_status"] = {"synced_in_lms": False}
    else:
        assignment = next(
            assignment for assignment in person.role_assignments if assignment.role == role
        )
        data |= records.role_record(person, assignment) if tier == "secure_sync" else {}
        data["id"] = assignment.legacy_id
    data = _pick_fields(data, rules.fields["user" if rules.one_id else role])
    data = _with_old_values(data) if rules.has_old_values else data
    return _redact_for_library(data, "student" in person.roles) if tier == "library" else data


def serialize_record(
    version: str, index: DistrictIndex, kind: str, entity: Entity, tier: Tier
) -> Record:
    """Returns the record of any entity that an API version has."""
    data = _record(version, index, kind, entity, tier)
    override = index.overrides.get(data["id"])
    return override.apply(data) if override else data


def _record(version: str, index: DistrictIndex, kind: str, entity: Entity, tier: Tier) -> Record:
    rules = VERSIONS[version]
    if isinstance(entity, Person):
        return serialize_user(version, entity, kind, tier)
    if isinstance(entity, Contact):
        return _serialize_contact(rules, entity)
    data = _pick_fields(_RECORD_BUILDERS[kind](rules, index, entity), rules.fields[kind])
    data = _with_old_values(data) if rules.has_old_values else data
    if tier == "library":
        return {key: value for key, value in data.items() if key not in _FIELDS_HIDDEN_FROM_LIBRARY}
    if kind == "district" and tier == "sso":
        return {key: data[key] for key in ("id", "name")}
    return data


def without_demographics(user: Record) -> Record:
    """Returns a user of v3 without what a user's token cannot read. Clever calls it sensitive."""
    roles = {
        name: {key: value for key, value in fields.items() if key not in _DEMOGRAPHICS}
        for name, fields in user.get("roles", {}).items()
    }
    return user | {"roles": roles}


def serialize_userinfo(person: Person, role: Role, tier: Tier) -> Record:
    """Returns the OpenID userinfo, the only answer that names the role of this login."""
    hidden = tier == "library" and role == "student"
    last = person.name.last[:1] if hidden else person.name.last
    schools = person.role_assignment(role).schools if tier == "secure_sync" else ()
    response: Record = {
        "sub": person.id,
        "user_id": person.role_assignment(role).legacy_id,
        "multi_role_user_id": person.id,
        "user_type": person.role_assignment(role).api_role_name or role,
        "name": {"first": person.name.first, "last": last, "middle": person.name.middle},
        "schools": [school.id for school in schools],
        "given_name": person.name.first,
        "family_name": last,
        "email_verified": False,
        "authorized_by": _authorized_by(tier),
    }
    response |= _district_fields(person, tier, "district_id", "district")
    return response | ({"email": person.email} if person.email and not hidden else {})


def _authorized_by(tier: Tier) -> str:
    return "teacher" if tier == "library" else "district"


def _district_fields(person: Person, tier: Tier, *names: str) -> Record:
    """Returns the district under these names, or nothing for Library apps."""
    return {} if tier == "library" else dict.fromkeys(names, person.district.id)


def _redact_for_library(data: Record, is_student: bool) -> Record:
    """Removes the district. For students, also the email and all but the last name's initial."""
    hidden = {"district", "email"} if is_student else {"district"}
    data = {key: value for key, value in data.items() if key not in hidden}
    if is_student:
        data["name"] = {**data["name"], "last": data["name"]["last"][:1]}
    return data


def _district_status(rules: ApiVersion, index: DistrictIndex) -> Record:
    # v1.1 has no separate state for a paused district.
    has_pause_fields = "pause_start" in rules.fields["status"]
    return index.facts if has_pause_fields or not index.facts else {"state": "pending"}


def _serialize_contact(rules: ApiVersion, contact: Contact) -> Record:
    data = _pick_fields(class_records.contact_record(contact), rules.fields["contact"])
    return (
        class_records.contact_user_record(contact) | {"roles": {"contact": data}}
        if rules.one_id
        else data
    )


def _role_fields(
    fields: frozenset[str], person: Person, assignment: RoleAssignment, tier: Tier
) -> Record:
    # Fields of the person as a whole are beside `roles`, not inside each role.
    data = _pick_fields(records.role_record(person, assignment), fields)
    if tier == "secure_sync" or not data:
        return data
    nearly_empty: Record = {"legacy_id": assignment.legacy_id}
    return nearly_empty | ({"schools": []} if assignment.role == "teacher" else {})


def _with_old_values(data: Record) -> Record:
    """Converts grades and gender to the values that existed before v2.1."""
    old_values = {name: _grade_before_v2_1(data[name]) for name in _GRADE_FIELDS if name in data}
    if data.get("gender") == "X":
        old_values["gender"] = ""
    return data | old_values


def _grade_before_v2_1(grade: str) -> str | None:
    return grade if grade in _GRADES_BEFORE_V2_1 else "Other" if grade else None


def _pick_fields(data: Record, fields: frozenset[str]) -> Record:
    return {key: value for key, value in data.items() if key in fields}
