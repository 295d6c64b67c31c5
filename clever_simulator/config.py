"""The simulator's configuration: the registered apps and the data to generate."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self, get_args

from clever_simulator.directory.models import Role
from clever_simulator.switches import Switches

Tier = Literal["secure_sync", "sso", "library"]
ROLES: tuple[Role, ...] = get_args(Role)
_LIBRARY_ROLES = ("student", "teacher")


@dataclass(frozen=True, kw_only=True)
class RegisteredApp(Switches):
    """One app as registered in Clever's dashboard. The first redirect URI is the primary one.

    The fields of Switches say how the simulator treats it where Clever's behavior is unknown.

    - `user_types`: the roles that the app supports.
    - `unshared`: user names of people who are not shared with the app, in any district.
    - `library_districts`: short names of districts whose users log in through Clever Library. Their
      logins have no ID token, even if the app has OIDC.
    - `events`: the events API has the changes of rosters. Without it, as for new apps at Clever, it
      has an empty list.
    - `api_versions`: the versions of the API that Clever has given to the app; empty means all.
      Clever gives new apps only v3.0, and v3.1 on request.
    - `last_clever_sync`: records of districts have this field, which Clever's support enables.
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
    library_districts: tuple[str, ...] = ()
    events: bool = False
    api_versions: tuple[str, ...] = ()
    last_clever_sync: bool = False

    def __post_init__(self) -> None:
        if not self.redirect_uris:
            raise ValueError(f"The app {self.client_id} needs at least one redirect URI.")
        if self.oidc and self.tier == "library":
            raise ValueError(f"{self.client_id}: Clever does not offer OIDC to Library apps.")

    def for_district(self, shortname: str) -> Self:
        """Returns the app as a district's users see it: connected by the district or by Library."""
        if shortname not in self.library_districts:
            return self
        return replace(self, tier="library", oidc=False, library_districts=())

    @property
    def primary_uri(self) -> str:
        """The redirect URI that receives every login started by Clever."""
        return self.redirect_uris[0]

    @property
    def supported(self) -> tuple[Role, ...]:
        """The roles that can log in. Clever Library supports students and teachers only."""
        if self.tier != "library":
            return self.user_types
        return tuple(role for role in self.user_types if role in _LIBRARY_ROLES)

    def has_version(self, version: str) -> bool:
        """Whether Clever has given this version of the API to the app."""
        return not self.api_versions or version in self.api_versions

    @property
    def survives_leaving(self) -> bool:
        """Whether the app still works in a district that leaves. Teachers install Library apps."""
        return self.tier == "library" and self.library_after_leaving == "works"

    @property
    def before_v3(self) -> bool:
        """Whether the app uses an API version in which each role of a person has its own ID."""
        return self.api_version.startswith(("v1.", "v2."))


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that can differ between two simulators. Equal configs generate equal people.

    `new_ids` are user names of people who have returned with a new ID. `students` adds one more
    district with that many students (1 to 200,000), and with `schools` (3 to 1,000) that many
    schools. `certification` adds the district of `directory/certification.py`. `data`, a folder or
    zip of Clever's CSV files, adds the district in those files, without the lines in `left_out`
    (file and line number).
    """

    apps: tuple[RegisteredApp, ...]
    seed: int = 1
    new_ids: frozenset[str] = frozenset()
    students: int | None = None
    schools: int | None = None
    certification: bool = False
    data: Path | None = None
    left_out: frozenset[tuple[str, int]] = frozenset()

    def app(self, client_id: str | None) -> RegisteredApp | None:
        """Returns the app with this client ID, or None if there is none."""
        return next((app for app in self.apps if app.client_id == client_id), None)


def default_config(app_url: str, api_version: str = "v3.0") -> Config:
    """Returns a config with one app of each kind, all redirecting to `<app_url>/oauth/callback`."""
    sample = RegisteredApp(
        client_id="simulator",
        client_secret="simulator-secret",  # noqa: S106 # a sample, printed in the README
        redirect_uris=(app_url.rstrip("/") + "/oauth/callback",),
        api_version=api_version,
        events=True,
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
