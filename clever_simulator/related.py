"""Who and what belongs to each thing: what the API lists below the id of a record."""

from collections.abc import Callable, Iterable

from clever_simulator.derived import Contact, Resource
from clever_simulator.index import Index, Thing
from clever_simulator.people import District, Person, School, Section


def below(index: Index, thing: Thing, nested: str) -> list[Thing]:
    """The things that a version may list as `nested` (a path's last part) below another thing."""
    return list(_RELATED[nested](index, thing))


def sections(index: Index, thing: Thing) -> Iterable[Section]:
    """The sections of a district, school, course, term, resource or person."""
    if isinstance(thing, District):
        return index.sections.values()
    if isinstance(thing, Resource):
        return [one for course in thing.courses for one in index.sections_of.get(course, ())]
    return index.sections_of.get(thing.id, ())


def schools(index: Index, thing: Thing) -> Iterable[School]:
    """The schools of a district or person, or those where a course or term is taught."""
    if isinstance(thing, District):
        return index.schools.values()
    if isinstance(thing, Person):
        return thing.schools
    return [one.school for one in sections(index, thing)]


def members(index: Index, thing: Thing) -> Iterable[Person]:
    """Everyone in a district, school, section or resource, and whom a person has to do with."""
    if isinstance(thing, District):
        return index.people.values()
    if isinstance(thing, School):
        return index.people_of.get(thing.id, ())
    if isinstance(thing, Section):
        return (*thing.students, *index.teachers_of(thing))
    if isinstance(thing, Contact):
        return [index.people[student] for student in thing.students]
    if isinstance(thing, Resource):
        everyone = [p for one in sections(index, thing) for p in members(index, one)]
        return [person for person in everyone if set(person.roles) & set(thing.roles)]
    return _classmates(index, thing)


def _classmates(index: Index, person: Person) -> Iterable[Person]:
    """The students of a teacher, or the teachers of a student."""
    own = list(sections(index, person))
    if "student" in person.roles:
        return [teacher for one in own for teacher in index.teachers_of(one)]
    return [student for one in own for student in one.students]


def _in_role(role: str) -> Callable[[Index, Thing], Iterable[Person]]:
    return lambda index, thing: [p for p in members(index, thing) if role in p.roles]


def _courses(index: Index, thing: Thing) -> Iterable[Thing]:
    if isinstance(thing, Resource):
        return [index.courses[one] for one in thing.courses]
    return [index.course_of[one.id] for one in sections(index, thing)]


def _terms(index: Index, thing: Thing) -> Iterable[Thing]:
    return [index.term_of[one.id] for one in sections(index, thing)]


def _resources(index: Index, thing: Thing) -> Iterable[Resource]:
    found = list(index.resources.values())
    if isinstance(thing, Person):
        taken = {index.course_of[one.id].id for one in sections(index, thing)}
        found = [one for one in found if set(one.roles) & set(thing.roles)]
    else:
        taken = {(index.course_of[thing.id] if isinstance(thing, Section) else thing).id}
    return [one for one in found if one.courses & taken]


def _school(_index: Index, thing: Thing) -> Iterable[School]:
    return thing.schools[:1] if isinstance(thing, Person) else (thing.school,)


_RELATED: dict[str, Callable[[Index, Thing], Iterable[Thing]]] = {
    "admins": _in_role("district_admin"),
    "contacts": lambda index, thing: index.contacts_of.get(thing.id, ()),
    "course": lambda index, thing: (index.course_of[thing.id],),
    "courses": _courses,
    "district": lambda index, _thing: (index.district,),
    "mycontacts": lambda index, thing: index.contacts_of.get(thing.id, ()),
    "mystudents": _in_role("student"),
    "myteachers": _in_role("teacher"),
    "resources": _resources,
    "school": _school,
    "schools": schools,
    "sections": sections,
    "student": members,
    "students": _in_role("student"),
    "teacher": _in_role("teacher"),
    "teachers": _in_role("teacher"),
    "term": lambda index, thing: (index.term_of[thing.id],),
    "terms": _terms,
    "users": members,
}
