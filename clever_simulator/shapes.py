"""One person in six API versions and two tiers: what differs between them, as data."""

from dataclasses import dataclass

from clever_simulator import records
from clever_simulator.config import Tier
from clever_simulator.people import District, Person, Post, Role, School
from clever_simulator.records import OLD_NAMES, Record


@dataclass(frozen=True, kw_only=True)
class Version:
    """One API version; `users` maps each endpoint for people to the roles found there."""

    users: dict[str, tuple[Role, ...]]
    fields: dict[str, str]
    one_id: bool = False
    authorized_by: bool = True
    inlines_user: bool = False


_OLD_USERS: dict[str, tuple[Role, ...]] = {f"{old}s": (role,) for role, old in OLD_NAMES.items()}
_NEW_USERS: dict[str, tuple[Role, ...]] = {"users": tuple(OLD_NAMES)}

# Fields by kind of record. The names are those of Clever's published API definitions.
_COMMON = "id district name email created last_modified "
_V1_1 = {
    "student": _COMMON + "credentials dob ell_status gender grade hispanic_ethnicity location race"
    " school sis_id state_id student_number",
    "teacher": _COMMON + "credentials school sis_id state_id teacher_number title",
    "staff": "id district name email credentials schools staff_id title",
    "district_admin": "id district name email title",
    "school": "id district name created last_modified high_grade location low_grade mdr_number"
    " nces_id phone principal school_number sis_id state_id",
    "district": "id name mdr_number",
}
_V1_2 = _V1_1 | {
    "student": _V1_1["student"] + " graduation_year schools",
    "teacher": _V1_1["teacher"] + " schools",
}
_V2_0 = _V1_2 | {
    "district": _V1_2["district"] + " error last_sync launch_date nces_id pause_end pause_start"
    " sis_type state",
}
_V2_1 = _V2_0 | {
    "student": _V2_0["student"] + " enrollments ext",
    "teacher": _V2_0["teacher"] + " ext",
    "staff": _V2_0["staff"] + " department ext",
    "school": _V2_0["school"] + " ext",
    "district": _V2_0["district"] + " district_contact login_methods portal_url",
}
_V3_0 = _V2_1 | {
    "student": _V2_1["student"] + " legacy_id",
    "teacher": _V2_1["teacher"] + " legacy_id",
    "staff": _V2_1["staff"] + " legacy_id roles",
    "district_admin": _V2_1["district_admin"] + " legacy_id",
}
_V3_1 = _V3_0 | {
    "student": _V3_0["student"] + " disability frl_status gifted_status home_language"
    " home_language_code iep_status preferred_name section_504_status",
}

VERSIONS: dict[str, Version] = {
    "v1.1": Version(users=_OLD_USERS, fields=_V1_1, authorized_by=False, inlines_user=True),
    "v1.2": Version(users=_OLD_USERS, fields=_V1_2, authorized_by=False, inlines_user=True),
    "v2.0": Version(users=_OLD_USERS, fields=_V2_0, authorized_by=False),
    "v2.1": Version(users=_OLD_USERS, fields=_V2_1),
    "v3.0": Version(users=_NEW_USERS, fields=_V3_0, one_id=True),
    "v3.1": Version(users=_NEW_USERS, fields=_V3_1, one_id=True),
}


def me(version: str, person: Person, role: Role, tier: Tier) -> Record:
    """The answer of /me: before v3 it names the role, from v3 on it only says `user`."""
    rules = VERSIONS[version]
    who_id = user_id(version, person, role)
    kind = "user" if rules.one_id else OLD_NAMES[role]
    inlined = rules.inlines_user and tier == "secure_sync"
    data: Record = user(version, person, role, tier)["data"] if inlined else {}
    data |= {"id": who_id, "type": kind} | _of_district(person, tier, "district")
    if rules.authorized_by:
        data["authorized_by"] = _authorized_by(tier)
    links = [
        {"rel": "self", "uri": "/me"},
        {"rel": "canonical", "uri": f"/{version}/{kind}s/{who_id}"},
    ]
    if tier != "library":
        uri = f"/{version}/districts/{person.district.id}"
        links.append({"rel": "district", "uri": uri})
    return {"type": kind, "data": data, "links": links}


def me_district(version: str, district: District) -> Record:
    """The answer of /me to the token of a district, behind which there is no person."""
    return {
        "type": "district",
        "data": {"id": district.id, "district": district.id, "type": "district"},
        "links": [
            {"rel": "self", "uri": "/me"},
            {"rel": "canonical", "uri": f"/{version}/districts/{district.id}"},
        ],
    }


def user_id(version: str, person: Person, role: Role) -> str:
    """The id that a person goes by: one for all roles from v3 on, one per role before."""
    return person.id if VERSIONS[version].one_id else person.post(role).legacy_id


def user(version: str, person: Person, role: Role, tier: Tier) -> Record:
    """The record of a person; before v3 it is the record of one of their roles."""
    rules = VERSIONS[version]
    data = records.base(person)
    if rules.one_id:
        data["roles"] = {
            name: _role(rules.fields[post.role], person, post, tier)
            for name, post in person.shared_posts.items()
        }
    else:
        data |= records.post(person, person.post(role)) if tier == "secure_sync" else {}
        data = _only(data, rules.fields[role]) | {"id": user_id(version, person, role)}
    return _wrap(version, next(k for k, roles in rules.users.items() if role in roles), data)


def school(version: str, one: School) -> Record:
    """The record of a school, which only the Secure Sync tier may read."""
    return _wrap(version, "schools", _only(records.school(one), VERSIONS[version].fields["school"]))


def district(version: str, one: District, tier: Tier) -> Record:
    """The record of a district; the SSO tier sees its id and its name."""
    return _wrap(version, "districts", _district(version, one, tier))


def districts(version: str, one: District, tier: Tier) -> Record:
    """The list of the districts that a token reaches, which is one."""
    uri = f"/{version}/districts"
    return {
        "data": [{"data": _district(version, one, tier), "uri": f"{uri}/{one.id}"}],
        "links": [{"rel": "self", "uri": uri}],
    }


def userinfo(person: Person, role: Role, tier: Tier) -> Record:
    """The OpenID answer, the only one that names the role of this very login."""
    hidden = tier == "library" and role == "student"
    last = person.name.last[:1] if hidden else person.name.last
    schools = person.post(role).schools if tier == "secure_sync" else ()
    answer: Record = {
        "sub": person.id,
        "user_id": person.post(role).legacy_id,
        "multi_role_user_id": person.id,
        "user_type": person.post(role).called or role,
        "name": {"first": person.name.first, "last": last, "middle": person.name.middle},
        "schools": [school.id for school in schools],
        "given_name": person.name.first,
        "family_name": last,
        "email_verified": False,
        "authorized_by": _authorized_by(tier),
    }
    answer |= _of_district(person, tier, "district_id", "district")
    return answer | ({"email": person.email} if person.email and not hidden else {})


def _authorized_by(tier: Tier) -> str:
    return "teacher" if tier == "library" else "district"


def _of_district(person: Person, tier: Tier, *names: str) -> Record:
    """The district under these names; a Library app never hears of it."""
    return {} if tier == "library" else dict.fromkeys(names, person.district.id)


def _role(fields: str, person: Person, post: Post, tier: Tier) -> Record:
    # The fields of the person as a whole stand beside `roles`, not inside of each.
    record = _only(records.post(person, post), fields)
    if tier == "secure_sync" or not record:
        return record
    nearly_empty: Record = {"legacy_id": post.legacy_id}
    return nearly_empty | ({"schools": []} if post.role == "teacher" else {})


def _district(version: str, one: District, tier: Tier) -> Record:
    record = _only(records.district(one), VERSIONS[version].fields["district"])
    return record if tier == "secure_sync" else {key: record[key] for key in ("id", "name")}


def _only(record: Record, fields: str) -> Record:
    return {key: value for key, value in record.items() if key in fields.split()}


def _wrap(version: str, plural: str, data: Record) -> Record:
    uri = f"/{version}/{plural}/{data['id']}"
    return {"data": data, "links": [{"rel": "self", "uri": uri}]}
