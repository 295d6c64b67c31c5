"""What a simulator is started with: the apps registered at it and the seed of its people."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self, get_args

from clever_simulator.directory.models import Role

Tier = Literal["secure_sync", "sso", "library"]
ROLES: tuple[Role, ...] = get_args(Role)
_LIBRARY_ROLES = ("student", "teacher")


@dataclass(frozen=True, kw_only=True)
class RegisteredApp:
    """One app as Clever's dashboard would hold it; the first redirect URI is the primary one.

    `user_types` are the roles that it supports, `unshared` the user names of people who are not
    shared with it, in whatever district. With `loginas_repeats` every login of an admin who acts as
    somebody says so, without it only one that Clever starts. With `secret_in_body` it may send its
    secret in the body of a token request instead of HTTP Basic, which is all that Clever documents.
    People of `library_districts` (short names) come by Clever Library, and their logins have no id
    token, also where the app has OIDC. `/me` has `authorized_by` only with `says_authorized_by`.
    """

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    tier: Tier = "secure_sync"
    name: str = "Reading Room"
    api_version: str = "v3.0"
    oidc: bool = False
    user_types: tuple[Role, ...] = ROLES
    unshared: tuple[str, ...] = ()
    loginas_repeats: bool = False
    secret_in_body: bool = False
    library_districts: tuple[str, ...] = ()
    says_authorized_by: bool = True

    def __post_init__(self) -> None:
        if not self.redirect_uris:
            raise ValueError(f"The app {self.client_id} needs at least one redirect URI.")
        if self.oidc and self.tier == "library":
            raise ValueError(f"{self.client_id}: Clever gives no OIDC to Library apps.")

    def seen_from(self, shortname: str) -> Self:
        """The app as the people of a district come to it: by that district, or by the Library."""
        if shortname not in self.library_districts:
            return self
        return replace(self, tier="library", oidc=False, library_districts=())

    @property
    def primary_uri(self) -> str:
        """Where every login that Clever starts is delivered."""
        return self.redirect_uris[0]

    @property
    def supported(self) -> tuple[Role, ...]:
        """The roles in which anyone may come; the Library knows teachers and students only."""
        if self.tier != "library":
            return self.user_types
        return tuple(role for role in self.user_types if role in _LIBRARY_ROLES)

    @property
    def before_v3(self) -> bool:
        """Whether the app reads an API in which each role of a person has an id of its own."""
        return self.api_version.startswith(("v1.", "v2."))


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that may differ between two simulators; equal configs make equal people.

    `new_ids` are user names of people who have come back with another id. With `students` there
    is one more district, with so many of them (1 to 200,000). With `data`, a folder or a zip of
    Clever's CSV files, there is theirs, too.
    """

    apps: tuple[RegisteredApp, ...]
    seed: int = 1
    new_ids: frozenset[str] = frozenset()
    students: int | None = None
    data: Path | None = None

    def app(self, client_id: str | None) -> RegisteredApp | None:
        """The app of this client id, or None when nobody registered it."""
        return next((app for app in self.apps if app.client_id == client_id), None)


def default_config(app_url: str, api_version: str = "v3.0") -> Config:
    """One app of each kind, all of them delivered to `<app_url>/oauth/callback`."""
    sample = RegisteredApp(
        client_id="simulator",
        client_secret="simulator-secret",  # noqa: S106 - a sample, printed in the README
        redirect_uris=(app_url.rstrip("/") + "/oauth/callback",),
        api_version=api_version,
    )
    return Config(
        apps=(
            sample,
            replace(sample, client_id="simulator-sso", name="Reading Room (SSO tier)", tier="sso"),
            replace(sample, client_id="simulator-oidc", name="Reading Room (OIDC)", oidc=True),
            replace(
                sample,
                client_id="simulator-library",
                name="Reading Room (Library)",
                tier="library",
            ),
        )
    )
