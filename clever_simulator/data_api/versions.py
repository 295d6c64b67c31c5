"""The six API versions as tables: the endpoints of each, and the fields of each record."""

from dataclasses import dataclass

from clever_simulator.directory.models import Role

# Each role's name before API v3, where every role has its own ID and endpoint.
ROLE_NAMES_BEFORE_V3: dict[Role, str] = {
    "student": "student",
    "teacher": "teacher",
    "staff": "school_admin",
    "district_admin": "district_admin",
}


@dataclass(frozen=True, kw_only=True)
class Collection:
    """An endpoint that lists records of one kind, and the paths below each record."""

    kind: str
    nested: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class ApiVersion:
    """One API version. `users` maps each endpoint for people to the roles it lists.

    `unwrapped` are the lists of bare records. `never_missing` are the lists that are empty for an
    unknown ID, where others return 404. Each entry is a collection and the last part of the path. A
    version with `has_old_values` has fewer grades and genders than later versions.
    """

    collections: dict[str, Collection]
    users: dict[str, tuple[Role, ...]]
    fields: dict[str, frozenset[str]]
    event_types: dict[str, str]
    one_id: bool = False
    authorized_by: bool = True
    inlines_user: bool = False
    has_old_values: bool = False
    one_student_contacts: bool = False
    counts: bool = True
    filters: bool = False
    event_filters: bool = True
    unwrapped: frozenset[tuple[str, str | None]] = frozenset()
    never_missing: frozenset[tuple[str, str | None]] = frozenset()


def _parse_collections(kinds: dict[str, str], table: str) -> dict[str, Collection]:
    collections = {}
    for line in table.strip().splitlines():
        name, *nested = line.split()
        collections[name] = Collection(kind=kinds[name], nested=frozenset(nested))
    return collections


_KIND_BY_COLLECTION = {
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

# Each line: an endpoint, and the path parts that may follow a record's ID.
_V1_COLLECTIONS = _parse_collections(
    _KIND_BY_COLLECTION,
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
_V2_COLLECTIONS = _parse_collections(
    _KIND_BY_COLLECTION,
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
_V3_COLLECTIONS = _parse_collections(
    _KIND_BY_COLLECTION,
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

_USER_PATHS_BEFORE_V3: dict[str, tuple[Role, ...]] = {
    f"{old}s": (role,) for role, old in ROLE_NAMES_BEFORE_V3.items()
}
_USER_PATHS_V3: dict[str, tuple[Role, ...]] = {"users": tuple(ROLE_NAMES_BEFORE_V3)}

# Fields by kind of record. The names are from Clever's published API definitions.
_COMMON_FIELDS = "id district name email created last_modified "
_V1_1_FIELDS = {
    "student": _COMMON_FIELDS
    + "credentials dob ell_status gender grade hispanic_ethnicity location race"
    " school sis_id state_id student_number",
    "teacher": _COMMON_FIELDS + "credentials school sis_id state_id teacher_number title",
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
_V1_2_FIELDS = _V1_1_FIELDS | {
    "student": _V1_1_FIELDS["student"] + " graduation_year schools",
    "teacher": _V1_1_FIELDS["teacher"] + " schools",
    "contact": _V1_1_FIELDS["contact"] + " sis_id",
    "status": _V1_1_FIELDS["status"] + " launch_date pause_start pause_end",
}
_V2_0_FIELDS = _V1_2_FIELDS | {
    "district": _V1_2_FIELDS["district"]
    + " error last_sync launch_date nces_id pause_end pause_start"
    " sis_type state",
    "contact": "id district name email phone phone_type relationship type sis_id students",
    "section": "id district school name created last_modified grade period subject sis_id"
    " section_number students teacher teachers course term_id",
    "course": "id district name number",
    "term": "id district name start_date end_date",
}
_V2_1_FIELDS = _V2_0_FIELDS | {
    "student": _V2_0_FIELDS["student"] + " enrollments ext",
    "teacher": _V2_0_FIELDS["teacher"] + " ext",
    "staff": _V2_0_FIELDS["staff"] + " department ext",
    "school": _V2_0_FIELDS["school"] + " ext",
    "section": _V2_0_FIELDS["section"] + " ext",
    "district": _V2_0_FIELDS["district"] + " district_contact login_methods portal_url",
}
_V3_0_FIELDS = _V2_1_FIELDS | {
    "student": _V2_1_FIELDS["student"] + " legacy_id",
    "teacher": _V2_1_FIELDS["teacher"] + " legacy_id",
    "staff": _V2_1_FIELDS["staff"] + " legacy_id roles",
    "district_admin": _V2_1_FIELDS["district_admin"] + " legacy_id",
    "contact": "legacy_id phone phone_type sis_id student_relationships",
    "resource": "id district resource_id title roles created updated",
    "user": _COMMON_FIELDS + "roles",
}
_V3_1_FIELDS = _V3_0_FIELDS | {
    "student": _V3_0_FIELDS["student"] + " disability frl_status gifted_status home_language"
    " home_language_code iep_status preferred_name section_504_status",
    "section": _V3_0_FIELDS["section"] + " lms_status",
    "user": _V3_0_FIELDS["user"] + " lms_status",
    "district": _V3_0_FIELDS["district"] + " last_attendance_sync lms_state lms_type",
}

# The records that have events, and the prefix of the event type.
_V1_EVENT_TYPES = {
    "contacts": "studentcontacts",
    "districts": "districts",
    "school_admins": "schooladmins",
    "schools": "schools",
    "sections": "sections",
    "students": "students",
    "teachers": "teachers",
}
_V2_EVENT_TYPES = _V1_EVENT_TYPES | {
    "contacts": "contacts",
    "courses": "courses",
    "district_admins": "districtadmins",
    "terms": "terms",
}
_V3_EVENT_TYPES = {name: name for name in _V3_COLLECTIONS}


def _split_fields(fields: dict[str, str]) -> dict[str, frozenset[str]]:
    return {kind: frozenset(names.split()) for kind, names in fields.items()}


def _make_v1(fields: dict[str, str]) -> ApiVersion:
    return ApiVersion(
        collections=_V1_COLLECTIONS,
        users=_USER_PATHS_BEFORE_V3,
        fields=_split_fields(fields),
        event_types=_V1_EVENT_TYPES,
        authorized_by=False,
        inlines_user=True,
        has_old_values=True,
        one_student_contacts=True,
        counts=False,
        filters=True,
        event_filters=False,
        unwrapped=frozenset(
            {("district_admins", None), ("districts", "admins"), ("students", "contacts")}
        ),
    )


def _make_v2(fields: dict[str, str], *, newest: bool) -> ApiVersion:
    return ApiVersion(
        collections=_V2_COLLECTIONS,
        users=_USER_PATHS_BEFORE_V3,
        fields=_split_fields(fields),
        event_types=_V2_EVENT_TYPES,
        authorized_by=newest,
        has_old_values=not newest,
        counts=newest,
        never_missing=frozenset({("contacts", "students")}),
    )


def _make_v3(fields: dict[str, str]) -> ApiVersion:
    return ApiVersion(
        collections=_V3_COLLECTIONS,
        users=_USER_PATHS_V3,
        fields=_split_fields(fields),
        event_types=_V3_EVENT_TYPES,
        one_id=True,
    )


VERSIONS: dict[str, ApiVersion] = {
    "v1.1": _make_v1(_V1_1_FIELDS),
    "v1.2": _make_v1(_V1_2_FIELDS),
    "v2.0": _make_v2(_V2_0_FIELDS, newest=False),
    "v2.1": _make_v2(_V2_1_FIELDS, newest=True),
    "v3.0": _make_v3(_V3_0_FIELDS),
    "v3.1": _make_v3(_V3_1_FIELDS),
}
