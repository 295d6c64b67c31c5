"""Relations between entities: what the API lists below a record's ID."""

from collections.abc import Callable, Iterable

from clever_simulator.data_api.derived_records import Contact, Resource
from clever_simulator.data_api.index import DistrictIndex, Entity
from clever_simulator.directory.models import District, Person, School, Section


def find_nested(index: DistrictIndex, entity: Entity, nested: str) -> list[Entity]:
    """Returns the entities below another entity. `nested` is the last part of the path."""
    return list(_RELATED_BY_PATH[nested](index, entity))


def related_sections(index: DistrictIndex, entity: Entity) -> Iterable[Section]:
    """Returns the sections of a district, school, course, term, resource or person."""
    if isinstance(entity, District):
        return index.sections.values()
    if isinstance(entity, Resource):
        return [
            section for course in entity.courses for section in index.sections_of.get(course, ())
        ]
    return index.sections_of.get(entity.id, ())


def related_schools(index: DistrictIndex, entity: Entity) -> Iterable[School]:
    """Returns the schools of a district or person, or those where a course or term is taught."""
    if isinstance(entity, District):
        return index.schools.values()
    if isinstance(entity, Person):
        return entity.schools
    return [section.school for section in related_sections(index, entity)]


def related_people(index: DistrictIndex, entity: Entity) -> Iterable[Person]:
    """Returns the people of a district, school, section, resource or contact.

    For a person, returns the students of a teacher or the teachers of a student.
    """
    if isinstance(entity, District):
        return index.people.values()
    if isinstance(entity, School):
        return index.people_of.get(entity.id, ())
    if isinstance(entity, Section):
        return (*entity.students, *index.teachers_of(entity))
    if isinstance(entity, Contact):
        return [index.people[student] for student in entity.students]
    if isinstance(entity, Resource):
        people = [
            person
            for section in related_sections(index, entity)
            for person in related_people(index, section)
        ]
        return [person for person in people if set(person.roles) & set(entity.roles)]
    return _teachers_or_students(index, entity)


def _teachers_or_students(index: DistrictIndex, person: Person) -> Iterable[Person]:
    """Returns the students of a teacher, or the teachers of a student."""
    sections = list(related_sections(index, person))
    if "student" in person.roles:
        return [teacher for section in sections for teacher in index.teachers_of(section)]
    return [student for section in sections for student in section.students]


def _related_in_role(role: str) -> Callable[[DistrictIndex, Entity], Iterable[Person]]:
    return lambda index, entity: [
        person for person in related_people(index, entity) if role in person.roles
    ]


def _related_courses(index: DistrictIndex, entity: Entity) -> Iterable[Entity]:
    if isinstance(entity, Resource):
        return [index.courses[course_id] for course_id in entity.courses]
    return [index.course_of[section.id] for section in related_sections(index, entity)]


def _related_terms(index: DistrictIndex, entity: Entity) -> Iterable[Entity]:
    return [index.term_of[section.id] for section in related_sections(index, entity)]


def _related_resources(index: DistrictIndex, entity: Entity) -> Iterable[Resource]:
    resources = list(index.resources.values())
    if isinstance(entity, Person):
        course_ids = {index.course_of[section.id].id for section in related_sections(index, entity)}
        resources = [resource for resource in resources if set(resource.roles) & set(entity.roles)]
    else:
        course_ids = {(index.course_of[entity.id] if isinstance(entity, Section) else entity).id}
    return [resource for resource in resources if resource.courses & course_ids]


def _related_school(_index: DistrictIndex, entity: Entity) -> Iterable[School]:
    return entity.schools[:1] if isinstance(entity, Person) else (entity.school,)


_RELATED_BY_PATH: dict[str, Callable[[DistrictIndex, Entity], Iterable[Entity]]] = {
    "admins": _related_in_role("district_admin"),
    "contacts": lambda index, entity: index.contacts_of.get(entity.id, ()),
    "course": lambda index, entity: (index.course_of[entity.id],),
    "courses": _related_courses,
    "district": lambda index, _entity: (index.district,),
    "mycontacts": lambda index, entity: index.contacts_of.get(entity.id, ()),
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
    "term": lambda index, entity: (index.term_of[entity.id],),
    "terms": _related_terms,
    "users": related_people,
}
