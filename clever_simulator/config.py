"""What a simulator is started with: the apps registered at it and the seed of its people."""

from dataclasses import dataclass, field
from typing import Literal

Tier = Literal["secure_sync", "sso", "library"]


@dataclass(frozen=True, kw_only=True)
class RegisteredApp:
    """One app as Clever's dashboard would hold it; the first redirect URI is the primary one."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    tier: Tier = "secure_sync"
    name: str = "Reading Room"
    api_version: str = "v3.0"
    oidc: bool = False

    def __post_init__(self) -> None:
        if not self.redirect_uris:
            raise ValueError(f"The app {self.client_id} needs at least one redirect URI.")
        if self.oidc and self.tier == "library":
            raise ValueError(f"{self.client_id}: Clever gives no OIDC to Library apps.")

    @property
    def primary_uri(self) -> str:
        """Where every login that Clever starts is delivered."""
        return self.redirect_uris[0]

    @property
    def before_v3(self) -> bool:
        """Whether the app reads an API in which each role of a person has an id of its own."""
        return self.api_version.startswith(("v1.", "v2."))


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that may differ between two simulators; equal configs make equal people.

    `new_ids` are user names of people who have come back with another id. With `students` there
    is one more district, with so many of them (1 to 200,000).
    """

    apps: tuple[RegisteredApp, ...]
    seed: int = 1
    new_ids: frozenset[str] = frozenset()
    students: int | None = None

    def app(self, client_id: str | None) -> RegisteredApp | None:
        """The app of this client id, or None when nobody registered it."""
        return next((app for app in self.apps if app.client_id == client_id), None)


def default_config(app_url: str, api_version: str = "v3.0") -> Config:
    """One app of each kind, all of them delivered to `<app_url>/oauth/callback`."""
    redirect_uris = (app_url.rstrip("/") + "/oauth/callback",)
    return Config(
        apps=(
            RegisteredApp(
                client_id="simulator",
                client_secret="simulator-secret",  # noqa: S106 - a sample, printed in the README
                redirect_uris=redirect_uris,
                api_version=api_version,
            ),
            RegisteredApp(
                client_id="simulator-sso",
                client_secret="simulator-secret",  # noqa: S106 - the same sample
                redirect_uris=redirect_uris,
                tier="sso",
                name="Reading Room (SSO tier)",
                api_version=api_version,
            ),
            RegisteredApp(
                client_id="simulator-oidc",
                client_secret="simulator-secret",  # noqa: S106 - the same sample
                redirect_uris=redirect_uris,
                name="Reading Room (OIDC)",
                api_version=api_version,
                oidc=True,
            ),
        )
    )
