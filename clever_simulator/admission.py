"""Who may come to which app, and in which roles: user types, sharing, the Library's consents."""

from clever_simulator.config import RegisteredApp
from clever_simulator.people import District, Person, Post, Role
from clever_simulator.world import world


def posts(app: RegisteredApp, person: Person) -> tuple[Post, ...]:
    """The roles in which a person may come to an app; none when they are not shared with it."""
    if person.user_name in app.unshared or not world().data.shares(person):
        return ()
    if not connected(app, person.district):
        return ()
    return tuple(
        post
        for post in person.posts
        if post.role in app.supported and _let_in(app, person, post.role)
    )


def connected(app: RegisteredApp, district: District) -> bool:
    """Whether an app has to do with a district; the Library is authorised by teachers alone."""
    return app.tier == "library" or not world().data.standings.has_left(district)


def needs_consent(app: RegisteredApp, person: Person, role: Role) -> bool:
    """Whether this teacher has to be asked before the Library app hears of them."""
    asked = app.tier == "library" and role == "teacher"
    return asked and not world().consents.given(app, person)


def _let_in(app: RegisteredApp, person: Person, role: Role) -> bool:
    if app.tier != "library" or role != "student":
        return True
    return any(
        world().consents.given(app, teacher) for teacher in world().people.teachers_of(person)
    )
