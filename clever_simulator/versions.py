"""The six API versions as tables: which endpoints each has, and which fields of each record."""

from dataclasses import dataclass

from clever_simulator.people import Role

# What each role is called before API v3, where every role has an id and an endpoint of its own.
OLD_NAMES: dict[Role, str] = {
    "student": "student",
    "teacher": "teacher",
    "staff": "school_admin",
    "district_admin": "district_admin",
}


@dataclass(frozen=True, kw_only=True)
class Collection:
    """An endpoint that lists records of one kind, and what can be asked below each of them."""

    kind: str
    nested: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Version:
    """One API version; `users` maps each endpoint for people to the roles found there.

    `unwrapped` are the lists of bare records, and `never_missing` those that are empty for an
    unknown id, where the others are a 404; each is a collection and the last part of the path.
    One of `few_words` knows fewer grades and genders than the later ones.
    """

    collections: dict[str, Collection]
    users: dict[str, tuple[Role, ...]]
    fields: dict[str, frozenset[str]]
    event_types: dict[str, str]
    one_id: bool = False
    authorized_by: bool = True
    inlines_user: bool = False
    few_words: bool = False
    one_student_contacts: bool = False
    counts: bool = True
    filters: bool = False
    event_filters: bool = True
    unwrapped: frozenset[tuple[str, str | None]] = frozenset()
    never_missing: frozenset[tuple[str, str | None]] = frozenset()


def _collections(kinds: dict[str, str], table: str) -> dict[str, Collection]:
    found = {}
    for line in table.strip().splitlines():
        name, *nested = line.split()
        found[name] = Collection(kind=kinds[name], nested=frozenset(nested))
    return found


_KINDS = {
    "contacts": "contact",
    "courses": "course",
    "district_admins": "district_admin",
    "districts": "district",
    "resources": "resource",
    "school_admins": "staff",
    "schools": "school",
    "sections": "section",
    "students": "student",
    "teachers": "teacher",
    "terms": "term",
    "users": "user",
}

# Each line: an endpoint, and what may follow the id of one of its records.
_PATHS_1 = _collections(
    _KINDS,
    """
    contacts district student
    district_admins
    districts admins schools sections status students teachers
    school_admins schools
    schools district sections students teachers
    sections district school students teacher teachers
    students contacts district school sections teachers
    teachers district grade_levels school sections students
    """,
)
_PATHS_2 = _collections(
    _KINDS,
    """
    contacts district students
    courses district sections
    district_admins district
    districts
    school_admins district schools
    schools district sections students teachers
    sections course district school students teacher teachers term
    students contacts district school schools sections teachers
    teachers district school schools sections students
    terms district sections
    """,
)
_PATHS_3 = _collections(
    _KINDS,
    """
    courses district resources schools sections
    districts
    resources courses sections users
    schools courses district sections terms users
    sections course district resources school term users
    terms district schools sections
    users district mycontacts mystudents myteachers resources schools sections
    """,
)

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
    "contact": "id district name email phone phone_type relationship type student",
    "school": "id district name created last_modified high_grade location low_grade mdr_number"
    " nces_id phone principal school_number sis_id state_id",
    "section": "id district school name created last_modified grade period subject sis_id"
    " section_number students teacher teachers course_name course_number course_description term",
    "district": "id name mdr_number",
    "status": "id state sis_type error instant_login last_sync",
}
_V1_2 = _V1_1 | {
    "student": _V1_1["student"] + " graduation_year schools",
    "teacher": _V1_1["teacher"] + " schools",
    "contact": _V1_1["contact"] + " sis_id",
    "status": _V1_1["status"] + " launch_date pause_start pause_end",
}
_V2_0 = _V1_2 | {
    "district": _V1_2["district"] + " error last_sync launch_date nces_id pause_end pause_start"
    " sis_type state",
    "contact": "id district name email phone phone_type relationship type sis_id students",
    "section": "id district school name created last_modified grade period subject sis_id"
    " section_number students teacher teachers course term_id",
    "course": "id district name number",
    "term": "id district name start_date end_date",
}
_V2_1 = _V2_0 | {
    "student": _V2_0["student"] + " enrollments ext",
    "teacher": _V2_0["teacher"] + " ext",
    "staff": _V2_0["staff"] + " department ext",
    "school": _V2_0["school"] + " ext",
    "section": _V2_0["section"] + " ext",
    "district": _V2_0["district"] + " district_contact login_methods portal_url",
}
_V3_0 = _V2_1 | {
    "student": _V2_1["student"] + " legacy_id",
    "teacher": _V2_1["teacher"] + " legacy_id",
    "staff": _V2_1["staff"] + " legacy_id roles",
    "district_admin": _V2_1["district_admin"] + " legacy_id",
    "contact": "legacy_id phone phone_type sis_id student_relationships",
    "resource": "id district resource_id title roles created updated",
    "user": _COMMON + "roles",
}
_V3_1 = _V3_0 | {
    "student": _V3_0["student"] + " disability frl_status gifted_status home_language"
    " home_language_code iep_status preferred_name section_504_status",
    "section": _V3_0["section"] + " lms_status",
    "user": _V3_0["user"] + " lms_status",
    "district": _V3_0["district"] + " last_attendance_sync lms_state lms_type",
}

# The records that have events, and what the type of such an event begins with.
_EVENTS_1 = {
    "contacts": "studentcontacts",
    "districts": "districts",
    "school_admins": "schooladmins",
    "schools": "schools",
    "sections": "sections",
    "students": "students",
    "teachers": "teachers",
}
_EVENTS_2 = _EVENTS_1 | {
    "contacts": "contacts",
    "courses": "courses",
    "district_admins": "districtadmins",
    "terms": "terms",
}
_EVENTS_3 = {name: name for name in _PATHS_3}


def _sets(fields: dict[str, str]) -> dict[str, frozenset[str]]:
    return {kind: frozenset(names.split()) for kind, names in fields.items()}


def _v1(fields: dict[str, str]) -> Version:
    return Version(
        collections=_PATHS_1,
        users=_OLD_USERS,
        fields=_sets(fields),
        event_types=_EVENTS_1,
        authorized_by=False,
        inlines_user=True,
        few_words=True,
        one_student_contacts=True,
        counts=False,
        filters=True,
        event_filters=False,
        unwrapped=frozenset(
            {("district_admins", None), ("districts", "admins"), ("students", "contacts")}
        ),
    )


def _v2(fields: dict[str, str], *, newest: bool) -> Version:
    return Version(
        collections=_PATHS_2,
        users=_OLD_USERS,
        fields=_sets(fields),
        event_types=_EVENTS_2,
        authorized_by=newest,
        few_words=not newest,
        counts=newest,
        never_missing=frozenset({("contacts", "students")}),
    )


def _v3(fields: dict[str, str]) -> Version:
    return Version(
        collections=_PATHS_3,
        users=_NEW_USERS,
        fields=_sets(fields),
        event_types=_EVENTS_3,
        one_id=True,
    )


VERSIONS: dict[str, Version] = {
    "v1.1": _v1(_V1_1),
    "v1.2": _v1(_V1_2),
    "v2.0": _v2(_V2_0, newest=False),
    "v2.1": _v2(_V2_1, newest=True),
    "v3.0": _v3(_V3_0),
    "v3.1": _v3(_V3_1),
}
