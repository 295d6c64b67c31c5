"""Who may come to which app, and in which roles: user types, sharing, the Library's consents."""

from clever_simulator.config import RegisteredApp
from clever_simulator.directory.models import District, Person, Role, RoleAssignment
from clever_simulator.state import simulator_state


def allowed_roles(app: RegisteredApp, person: Person) -> tuple[RoleAssignment, ...]:
    """The roles in which a person may come to an app; none when they are not shared with it."""
    if person.user_name in app.unshared or not simulator_state().data.shares(person):
        return ()
    if not is_connected(app, person.district):
        return ()
    return tuple(
        post
        for post in person.posts
        if post.role in app.supported and _is_allowed(app, person, post.role)
    )


def is_connected(app: RegisteredApp, district: District) -> bool:
    """Whether an app has to do with a district; the Library is authorised by teachers alone."""
    return app.tier == "library" or not simulator_state().data.standings.has_left(district)


def needs_consent(app: RegisteredApp, person: Person, role: Role) -> bool:
    """Whether this teacher has to be asked before the Library app hears of them."""
    asked = app.tier == "library" and role == "teacher"
    return asked and not simulator_state().consents.given(app, person)


def _is_allowed(app: RegisteredApp, person: Person, role: Role) -> bool:
    if app.tier != "library" or role != "student":
        return True
    return any(
        simulator_state().consents.given(app, teacher)
        for teacher in simulator_state().people.teachers_of(person)
    )
