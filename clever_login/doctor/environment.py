"""What the doctor has before it: an environment, and the settings as far as they can be read."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from clever_login.config import Settings, SettingsError, load_settings

# In place of a value that is wrong, so that the others can still be looked at; never used.
PLACEHOLDER_VALUES = {
    "SECRET_KEY": secrets.token_hex(32),
    "APP_URL": "https://app.invalid",
    "CLEVER_CLIENT_ID": "unknown",
    "CLEVER_CLIENT_SECRET": "unknown",
}


@dataclass(frozen=True, kw_only=True)
class DoctorEnvironment:
    """An environment, its faults, and settings in which the faulty variables are made up."""

    environ: Mapping[str, str] = field(repr=False)
    settings: Settings
    faults: tuple[str, ...] = ()
    faulty: frozenset[str] = frozenset()

    @property
    def live(self) -> bool:
        """Whether this is Clever itself, and not something to develop against."""
        host = self.settings.clever_url.removeprefix("https://").partition(":")[0]
        return f".{host}".endswith(".clever.com")

    @property
    def clever_is_on_this_machine(self) -> bool:
        """Whether the app talks to a Clever to develop against, by http and over no network."""
        urls = urlsplit(self.settings.clever_url), urlsplit(self.settings.clever_api_url)
        return all(each.scheme == "http" and each.hostname in LOOPBACKS for each in urls)

    @property
    def platform(self) -> str | None:
        """The kind of host that this runs on: one with a router in front and files that vanish."""
        return next(
            (
                name
                for name, marks in PLATFORM_VARIABLES.items()
                if any(map(self.environ.get, marks))
            ),
            None,
        )

    def says(self, *names: str) -> list[str]:
        """Those of these variables that are set."""
        return [name for name in names if self.environ.get(name, "").strip()]


LOOPBACKS = {"localhost", "127.0.0.1", "::1"}
PLATFORM_VARIABLES = {
    "Heroku": ("DYNO",),
    "Render": ("RENDER",),
    "Railway": ("RAILWAY_ENVIRONMENT", "RAILWAY_ENVIRONMENT_NAME", "RAILWAY_PROJECT_ID"),
    "Fly": ("FLY_APP_NAME", "FLY_MACHINE_ID"),
}


def read_environment(environ: Mapping[str, str]) -> DoctorEnvironment:
    """Read the settings; where some are wrong, read them again with those made up."""
    try:
        return DoctorEnvironment(environ=environ, settings=load_settings(environ))
    except SettingsError as error:
        return _with_placeholders(environ, error)


def _with_placeholders(environ: Mapping[str, str], first: SettingsError) -> DoctorEnvironment:
    """A stand-in may lay another fault bare: without APP_ENV production's rules count."""
    faulty, error = frozenset[str](), first
    while True:
        more = faulty | {each.partition(" ")[0] for each in error.faults}  # its variable's name
        if more == faulty:
            raise error
        faulty = more
        kept = {name: value for name, value in environ.items() if name not in faulty}
        made_up = {name: PLACEHOLDER_VALUES[name] for name in faulty & set(PLACEHOLDER_VALUES)}
        try:
            settings = load_settings(kept | made_up)
        except SettingsError as another:
            error = another
        else:
            return DoctorEnvironment(
                environ=environ, settings=settings, faults=first.faults, faulty=faulty
            )
