"""A third district with unusual people only, like those that Clever's certification uses."""

from dataclasses import dataclass

from clever_simulator.directory.directory import Directory, make_id
from clever_simulator.directory.models import (
    District,
    Name,
    Person,
    Role,
    RoleAssignment,
    School,
    Section,
)

DISTRICT = ("Odd Corner Independent School District", "odd-corner")
SCHOOLS = (
    ("Odd Corner Elementary School", "Kindergarten", "5"),
    ("Odd Corner Middle School", "6", "8"),
    ("Odd Corner High School", "9", "12"),
)
LONG_USER_NAME = "wolfeschlegelsteinhausenbergerdorff." * 8 + "adolph"
LONG_NAME = Name(first="Adolph-Blaine-Charles-David-Earl-" * 6 + "Zeus", last="Wolfe" * 60)


@dataclass(frozen=True, kw_only=True)
class EdgeCase:
    """One unusual person. `schools` are indexes into SCHOOLS. No `email` means the default one."""

    user_name: str
    name: Name
    roles: tuple[Role, ...] = ("student",)
    schools: tuple[int, ...] = (2,)
    email: str | None = None
    shared: bool = True
    api_role_name: str = ""
    has_user_name: bool = True


def _make_name(first: str, last: str, middle: str = "") -> Name:
    return Name(first=first, last=last, middle=middle)


EDGE_CASES = (
    EdgeCase(user_name="240017", name=_make_name("Nemo", "Ohnename"), has_user_name=False),
    EdgeCase(
        user_name="email_quotes",
        name=_make_name("Quentin", "Quotes"),
        email="\"quentin 'q' quotes\"@odd-corner.example",
    ),
    EdgeCase(
        user_name="email_no_at",
        name=_make_name("Atley", "Missing"),
        roles=("teacher",),
        email="atley.missing.odd-corner.example",
    ),
    EdgeCase(
        user_name="many_schools",
        name=_make_name("Wanda", "Rowe"),
        roles=("staff",),
        schools=(0, 1, 2),
    ),
    EdgeCase(user_name="no_sections", name=_make_name("Idris", "Hall"), roles=("teacher",)),
    EdgeCase(user_name="odd_sections", name=_make_name("Una", "Strange"), roles=("teacher",)),
    EdgeCase(user_name="accents", name=_make_name("Zoë", "Ñandú-O'Connor", "Françoise")),
    EdgeCase(user_name="arabic", name=_make_name("ليلى", "عبد الرحمن")),
    EdgeCase(user_name="hebrew", name=_make_name("נועה", "בן־דוד"), roles=("teacher",)),
    EdgeCase(user_name="four_bytes", name=_make_name("𠮷", "🦊𝒜🏫")),
    EdgeCase(
        user_name="three_roles",
        name=_make_name("Trudy", "Threehats"),
        roles=("teacher", "staff", "district_admin"),
    ),
    EdgeCase(user_name="no_role", name=_make_name("Norma", "Null"), roles=("staff",), shared=False),
    EdgeCase(
        user_name="unknown_role",
        name=_make_name("Libby", "Page"),
        roles=("staff",),
        api_role_name="librarian",
    ),
    EdgeCase(user_name="two_schools", name=_make_name("Toby", "Between"), schools=(2, 1)),
    EdgeCase(user_name="many_teachers", name=_make_name("Mona", "Busy")),
    EdgeCase(
        user_name="markup",
        name=_make_name("<script>alert(1)</script>", "{{7*7}} & <b>Bold</b>", "${7*7}"),
    ),
    EdgeCase(user_name="new_id", name=_make_name("Nell", "Newid")),
    EdgeCase(
        user_name="same_email_1", name=_make_name("Sam", "Sharer"), email="home@odd-corner.example"
    ),
    EdgeCase(
        user_name="same_email_2",
        name=_make_name("Pat", "Sharer"),
        roles=("teacher",),
        email="home@odd-corner.example",
    ),
    # The first district also has a user with this name.
    EdgeCase(user_name="student", name=_make_name("Stu", "Elsewhere")),
    EdgeCase(user_name=LONG_USER_NAME, name=LONG_NAME),
)

# (name, teacher, other teachers). Every section has all students of the district.
SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (" ", "odd_sections", ()),
    ("\u200b", "odd_sections", ()),
    ("Introduction to the " + "Very " * 55 + "Long Name", "odd_sections", ()),
    ("🦊🧪 👩‍🔬 4️⃣", "odd_sections", ()),
    ('<b onmouseover=alert(1)>Art</b> {{7*7}} & "Crafts" \';--', "odd_sections", ()),
    ("مقدمة في الأحياء", "hebrew", ()),
    ("Homeroom", "three_roles", ("same_email_2",)),
    ("Homeroom", "email_no_at", ("hebrew", "odd_sections")),
)


def build_directory(seed: int = 1) -> Directory:
    """Builds the district of unusual people. Equal seeds give equal people."""
    name, shortname = DISTRICT
    district = District(id=make_id(seed, "district", shortname), name=name, shortname=shortname)
    schools = tuple(_build_school(seed, district, number) for number in range(len(SCHOOLS)))
    people = tuple(
        _build_person(seed, district, schools, 240001 + number, case)
        for number, case in enumerate(EDGE_CASES)
    )
    sections = tuple(
        _build_section(seed, schools[2], people, number) for number in range(len(SECTIONS))
    )
    return Directory(
        districts=(district,),
        schools=schools,
        people=people,
        sections=sections,
        named_people=people,
    )


def _build_school(seed: int, district: District, number: int) -> School:
    name, low, high = SCHOOLS[number]
    return School(
        id=make_id(seed, "school", name),
        district=district,
        name=name,
        number=str(2001 + number),
        low_grade=low,
        high_grade=high,
    )


def _build_person(
    seed: int, district: District, schools: tuple[School, ...], number: int, case: EdgeCase
) -> Person:
    person_id = make_id(seed, "person", district.shortname, case.user_name)
    person_schools = tuple(schools[index] for index in case.schools)
    assignments = tuple(
        RoleAssignment(
            role=role,
            legacy_id=person_id if role == "student" else make_id(seed, role, person_id),
            schools=() if role == "district_admin" else person_schools,
            number=str(number) if case.has_user_name else case.user_name,
            title={"staff": "Principal", "district_admin": "Technology Director"}.get(role, ""),
            grade=person_schools[0].low_grade if role == "student" else "",
            shared=case.shared,
            api_role_name=case.api_role_name,
        )
        for role in case.roles
    )
    default_email = f"{case.user_name[:60]}@{district.shortname}.example"
    return Person(
        id=person_id,
        district=district,
        user_name=case.user_name,
        has_user_name=case.has_user_name,
        name=case.name,
        role_assignments=assignments,
        email=case.email or default_email,
    )


def _build_section(seed: int, school: School, people: tuple[Person, ...], number: int) -> Section:
    name, teacher, co_teachers = SECTIONS[number]
    by_user_name = {person.user_name: person for person in people}
    return Section(
        id=make_id(seed, "section", school.district.shortname, number),
        school=school,
        name=name,
        subject="other",
        grade=school.low_grade,
        period=str(1 + number % 6),
        teacher=by_user_name[teacher],
        co_teachers=tuple(by_user_name[user_name] for user_name in co_teachers),
        students=tuple(person for person in people if "student" in person.roles),
    )
