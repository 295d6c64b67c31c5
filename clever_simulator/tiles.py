"""The tiles of a district's portal: the apps that a person may open from there."""

from dataclasses import dataclass

from flask import url_for

from clever_simulator import admission
from clever_simulator.config import RegisteredApp
from clever_simulator.people import District, Person
from clever_simulator.world import world


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One app in the portal; `instant_login` is empty for a Library app, which has no such link."""

    app: RegisteredApp
    link: str
    instant_login: str
    install: bool


def tiles(person: Person) -> list[Tile]:
    """A tile for every app that the person may come to; neither link carries a state."""
    apps = [app.seen_from(person.district.shortname) for app in world().config.apps]
    return [_tile(app, person) for app in apps if admission.posts(app, person)]


def _tile(app: RegisteredApp, person: Person) -> Tile:
    library = app.tier == "library"
    return Tile(
        app=app,
        link=_link(app, person.district),
        instant_login="" if library else _instant_login(app, person.district),
        install=admission.needs_consent(app, person, admission.posts(app, person)[0].role),
    )


def _link(app: RegisteredApp, district: District) -> str:
    return url_for(
        "launch.authorize",
        channel="clever-portal",
        client_id=app.client_id,
        confirmed="true",
        district_id=district.id,
        redirect_uri=app.primary_uri,
        response_type="code",
    )


def _instant_login(app: RegisteredApp, district: District) -> str:
    return url_for(
        "launch.instant_login", client_id=app.client_id, district_id=district.id, _external=True
    )
