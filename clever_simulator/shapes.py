"""One thing in six API versions and three tiers: what of its record each of them shows."""

from collections.abc import Callable

from clever_simulator import class_records, records
from clever_simulator.config import Tier
from clever_simulator.derived import Contact
from clever_simulator.index import Index, Thing, id_of
from clever_simulator.people import District, Person, Post, Role
from clever_simulator.records import Record
from clever_simulator.versions import OLD_NAMES, VERSIONS, Version

# What the files of a district hold beside its people; at the Library nothing says where it is.
_MAKERS: dict[str, Callable[[Version, Index, Thing], Record]] = {
    "district": lambda _rules, index, one: records.district(one) | index.facts,
    "status": lambda rules, index, one: records.status(one) | _standing(rules, index),
    "school": lambda _rules, _index, one: records.school(one),
    "section": class_records.section,
    "course": lambda _rules, _index, one: class_records.course(one),
    "term": lambda _rules, _index, one: class_records.term(one),
    "resource": lambda _rules, _index, one: class_records.resource(one),
}
_NOT_IN_LIBRARY = {"district", "school", "course", "term_id", "sis_id", "section_number"}
_GRADES = ("grade", "low_grade", "high_grade")
_OLD_GRADES = {"PreKindergarten", "Kindergarten", *map(str, range(1, 13)), "PostGraduate", "Other"}


def me(version: str, person: Person, role: Role, tier: Tier) -> Record:
    """The answer of /me: before v3 it names the role, from v3 on it only says `user`."""
    rules = VERSIONS[version]
    who_id = user_id(version, person, role)
    kind = "user" if rules.one_id else OLD_NAMES[role]
    inlined = rules.inlines_user and tier == "secure_sync"
    data: Record = user(version, person, role, tier) if inlined else {}
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
    return id_of(VERSIONS[version], role, person)


def user(version: str, person: Person, role: str, tier: Tier) -> Record:
    """The record of a person; before v3 it is the record of one of their roles."""
    rules = VERSIONS[version]
    data = records.base(person)
    if rules.one_id:
        data["roles"] = {
            name: _role(rules.fields[post.role], person, post, tier)
            for name, post in person.shared_posts.items()
        }
        if tier == "secure_sync":
            data["lms_status"] = {"synced_in_lms": False}
    else:
        post = next(post for post in person.posts if post.role == role)
        data |= records.post(person, post) if tier == "secure_sync" else {}
        data["id"] = post.legacy_id
    data = _only(data, rules.fields["user" if rules.one_id else role])
    data = _in_few_words(data) if rules.few_words else data
    return _for_library(data, "student" in person.roles) if tier == "library" else data


def record(version: str, index: Index, kind: str, thing: Thing, tier: Tier) -> Record:
    """The record of anything that a version of the API has."""
    data = _record(version, index, kind, thing, tier)
    altered = index.altered.get(data["id"])
    return altered.applied(data) if altered else data


def _record(version: str, index: Index, kind: str, thing: Thing, tier: Tier) -> Record:
    rules = VERSIONS[version]
    if isinstance(thing, Person):
        return user(version, thing, kind, tier)
    if isinstance(thing, Contact):
        return _contact(rules, thing)
    data = _only(_MAKERS[kind](rules, index, thing), rules.fields[kind])
    data = _in_few_words(data) if rules.few_words else data
    if tier == "library":
        return {key: value for key, value in data.items() if key not in _NOT_IN_LIBRARY}
    if kind == "district" and tier == "sso":
        return {key: data[key] for key in ("id", "name")}
    return data


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


def _for_library(data: Record, is_student: bool) -> Record:
    """Without the district; of a student only the initial of the last name, and no email."""
    hidden = {"district", "email"} if is_student else {"district"}
    data = {key: value for key, value in data.items() if key not in hidden}
    if is_student:
        data["name"] = {**data["name"], "last": data["name"]["last"][:1]}
    return data


def _standing(rules: Version, index: Index) -> Record:
    # A district that is paused has no word of its own in v1.1.
    known = "pause_start" in rules.fields["status"]
    return index.facts if known or not index.facts else {"state": "pending"}


def _contact(rules: Version, one: Contact) -> Record:
    data = _only(class_records.contact(one), rules.fields["contact"])
    return (
        class_records.contact_as_user(one) | {"roles": {"contact": data}} if rules.one_id else data
    )


def _role(fields: frozenset[str], person: Person, post: Post, tier: Tier) -> Record:
    # The fields of the person as a whole stand beside `roles`, not inside of each.
    data = _only(records.post(person, post), fields)
    if tier == "secure_sync" or not data:
        return data
    nearly_empty: Record = {"legacy_id": post.legacy_id}
    return nearly_empty | ({"schools": []} if post.role == "teacher" else {})


def _in_few_words(data: Record) -> Record:
    """With the grades and genders that were there before v2.1."""
    spelled = {name: _grade(data[name]) for name in _GRADES if name in data}
    if data.get("gender") == "X":
        spelled["gender"] = ""
    return data | spelled


def _grade(grade: str) -> str | None:
    return grade if grade in _OLD_GRADES else "Other" if grade else None


def _only(data: Record, fields: frozenset[str]) -> Record:
    return {key: value for key, value in data.items() if key in fields}
