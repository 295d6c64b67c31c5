"""Relations between things: what the API lists below a record's ID."""

from collections.abc import Callable, Iterable

from clever_simulator.data_api.derived_records import Contact, Resource
from clever_simulator.data_api.index import DistrictIndex, Thing
from clever_simulator.directory.models import District, Person, School, Section


def find_nested(index: DistrictIndex, thing: Thing, nested: str) -> list[Thing]:
    """Returns the things below another thing. `nested` is the last part of the path."""
    return list(_RELATED_BY_PATH[nested](index, thing))


def related_sections(index: DistrictIndex, thing: Thing) -> Iterable[Section]:
    """Returns the sections of a district, school, course, term, resource or person."""
    if isinstance(thing, District):
        return index.sections.values()
    if isinstance(thing, Resource):
        return [one for course in thing.courses for one in index.sections_of.get(course, ())]
    return index.sections_of.get(thing.id, ())


def related_schools(index: DistrictIndex, thing: Thing) -> Iterable[School]:
    """Returns the schools of a district or person, or those where a course or term is taught."""
    if isinstance(thing, District):
        return index.schools.values()
    if isinstance(thing, Person):
        return thing.schools
    return [one.school for one in related_sections(index, thing)]


def related_people(index: DistrictIndex, thing: Thing) -> Iterable[Person]:
    """Returns the people of a district, school, section, resource or contact.

    For a person, returns the students of a teacher or the teachers of a student.
    """
    if isinstance(thing, District):
        return index.people.values()
    if isinstance(thing, School):
        return index.people_of.get(thing.id, ())
    if isinstance(thing, Section):
        return (*thing.students, *index.teachers_of(thing))
    if isinstance(thing, Contact):
        return [index.people[student] for student in thing.students]
    if isinstance(thing, Resource):
        everyone = [p for one in related_sections(index, thing) for p in related_people(index, one)]
        return [person for person in everyone if set(person.roles) & set(thing.roles)]
    return _teachers_or_students(index, thing)


def _teachers_or_students(index: DistrictIndex, person: Person) -> Iterable[Person]:
    """Returns the students of a teacher, or the teachers of a student."""
    own = list(related_sections(index, person))
    if "student" in person.roles:
        return [teacher for one in own for teacher in index.teachers_of(one)]
    return [student for one in own for student in one.students]


def _related_in_role(role: str) -> Callable[[DistrictIndex, Thing], Iterable[Person]]:
    return lambda index, thing: [p for p in related_people(index, thing) if role in p.roles]


def _related_courses(index: DistrictIndex, thing: Thing) -> Iterable[Thing]:
    if isinstance(thing, Resource):
        return [index.courses[one] for one in thing.courses]
    return [index.course_of[one.id] for one in related_sections(index, thing)]


def _related_terms(index: DistrictIndex, thing: Thing) -> Iterable[Thing]:
    return [index.term_of[one.id] for one in related_sections(index, thing)]


def _related_resources(index: DistrictIndex, thing: Thing) -> Iterable[Resource]:
    found = list(index.resources.values())
    if isinstance(thing, Person):
        taken = {index.course_of[one.id].id for one in related_sections(index, thing)}
        found = [one for one in found if set(one.roles) & set(thing.roles)]
    else:
        taken = {(index.course_of[thing.id] if isinstance(thing, Section) else thing).id}
    return [one for one in found if one.courses & taken]


def _related_school(_index: DistrictIndex, thing: Thing) -> Iterable[School]:
    return thing.schools[:1] if isinstance(thing, Person) else (thing.school,)


_RELATED_BY_PATH: dict[str, Callable[[DistrictIndex, Thing], Iterable[Thing]]] = {
    "admins": _related_in_role("district_admin"),
    "contacts": lambda index, thing: index.contacts_of.get(thing.id, ()),
    "course": lambda index, thing: (index.course_of[thing.id],),
    "courses": _related_courses,
    "district": lambda index, _thing: (index.district,),
    "mycontacts": lambda index, thing: index.contacts_of.get(thing.id, ()),
    "mystudents": _related_in_role("student"),
    "myteachers": _related_in_role("teacher"),
    "resources": _related_resources,
    "school": _related_school,
    "schools": related_schools,
    "sections": related_sections,
    "student": related_people,
    "students": _related_in_role("student"),
    "teacher": _related_in_role("teacher"),
    "teachers": _related_in_role("teacher"),
    "term": lambda index, thing: (index.term_of[thing.id],),
    "terms": _related_terms,
    "users": related_people,
}
