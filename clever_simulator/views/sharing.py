"""Which people can log in to which app, in which roles: user types, sharing, Library consent."""

from clever_simulator.config import RegisteredApp
from clever_simulator.directory.models import District, Person, Role, RoleAssignment
from clever_simulator.state import simulator_state


def allowed_roles(app: RegisteredApp, person: Person) -> tuple[RoleAssignment, ...]:
    """Returns the roles in which a person can log in to an app. Empty if they are not shared."""
    if person.user_name in app.unshared or not simulator_state().data.is_shared(person):
        return ()
    if not is_connected(app, person.district):
        return ()
    return tuple(
        assignment
        for assignment in person.role_assignments
        if assignment.role in app.supported and _is_allowed(app, person, assignment.role)
    )


def is_connected(app: RegisteredApp, district: District) -> bool:
    """Whether an app is connected to a district. A Library app needs no district connection."""
    return app.survives_leaving or not simulator_state().data.statuses.is_disconnected(district)


def needs_consent(app: RegisteredApp, person: Person, role: Role) -> bool:
    """Whether this teacher must consent before the Library app learns about them."""
    is_library_teacher = app.tier == "library" and role == "teacher"
    return is_library_teacher and not simulator_state().consents.has_consent(app, person)


def _is_allowed(app: RegisteredApp, person: Person, role: Role) -> bool:
    if app.tier != "library" or role != "student":
        return True
    return any(
        simulator_state().consents.has_consent(app, teacher)
        for teacher in simulator_state().people.teachers_of(person)
    )
