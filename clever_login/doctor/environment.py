"""The environment that the doctor checks, and its settings as far as they are valid."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from clever_login.config import Settings, SettingsError, load_settings

# Stand-ins for invalid values, so that the other settings can be checked. The app never uses them.
PLACEHOLDER_VALUES = {
    "SECRET_KEY": secrets.token_hex(32),
    "APP_URL": "https://app.invalid",
    "CLEVER_CLIENT_ID": "unknown",
    "CLEVER_CLIENT_SECRET": "unknown",
}


@dataclass(frozen=True, kw_only=True)
class DoctorEnvironment:
    """An environment, its errors, and settings with placeholders for the invalid variables."""

    environ: Mapping[str, str] = field(repr=False)
    settings: Settings
    errors: tuple[str, ...] = ()
    invalid_variables: frozenset[str] = frozenset()
    url_prefix: str | None = None  # of CleverLogin; None if the doctor cannot know it

    @property
    def redirect_uri(self) -> str | None:
        """The redirect URI, or None if the doctor cannot know the URL prefix."""
        if self.url_prefix is None:
            return None
        return replace(self.settings, url_prefix=self.url_prefix).redirect_uri

    @property
    def uses_clever(self) -> bool:
        """Whether the app uses Clever itself."""
        host = self.settings.clever_url.removeprefix("https://").partition(":")[0]
        return f".{host}".endswith(".clever.com")

    @property
    def clever_is_on_this_machine(self) -> bool:
        """Whether the address of Clever is on this machine, over http."""
        urls = urlsplit(self.settings.clever_url), urlsplit(self.settings.clever_api_url)
        return all(url.scheme == "http" and url.hostname in LOOPBACKS for url in urls)

    @property
    def platform(self) -> str | None:
        """The hosting platform, or None. All known ones have a router in front and lose files."""
        return next(
            (
                name
                for name, marks in PLATFORM_VARIABLES.items()
                if any(map(self.environ.get, marks))
            ),
            None,
        )

    def set_variables(self, *names: str) -> list[str]:
        """Return which of these variables are set."""
        return [name for name in names if self.environ.get(name, "").strip()]


LOOPBACKS = {"localhost", "127.0.0.1", "::1"}
PLATFORM_VARIABLES = {
    "Heroku": ("DYNO",),
    "Render": ("RENDER",),
    "Railway": ("RAILWAY_ENVIRONMENT", "RAILWAY_ENVIRONMENT_NAME", "RAILWAY_PROJECT_ID"),
    "Fly": ("FLY_APP_NAME", "FLY_MACHINE_ID"),
}


def app_folder() -> Path:
    """Return the folder of app.py: the one that holds `clever_login/`, or the current one.

    The current folder is used where `clever_login` is installed with pip.
    """
    beside_library = Path(__file__).resolve().parent.parent.parent
    return beside_library if (beside_library / "app.py").is_file() else Path.cwd()


def read_environment(environ: Mapping[str, str], url_prefix: str | None) -> DoctorEnvironment:
    """Read the settings; replace invalid ones with placeholders.

    `url_prefix` is that of CleverLogin, None if it is unknown.
    """
    try:
        environment = DoctorEnvironment(environ=environ, settings=load_settings(environ))
    except SettingsError as error:
        environment = _with_placeholders(environ, error)
    return replace(environment, url_prefix=url_prefix)


def _with_placeholders(environ: Mapping[str, str], first_error: SettingsError) -> DoctorEnvironment:
    """A placeholder may reveal another error: without APP_ENV, production's rules apply."""
    invalid_variables, error = frozenset[str](), first_error
    while True:
        # An error starts with the variable's name.
        all_invalid = invalid_variables | {message.partition(" ")[0] for message in error.errors}
        if all_invalid == invalid_variables:
            raise error
        invalid_variables = all_invalid
        valid = {name: value for name, value in environ.items() if name not in invalid_variables}
        placeholders = {
            name: PLACEHOLDER_VALUES[name] for name in invalid_variables & set(PLACEHOLDER_VALUES)
        }
        try:
            settings = load_settings(valid | placeholders)
        except SettingsError as next_error:
            error = next_error
        else:
            return DoctorEnvironment(
                environ=environ,
                settings=settings,
                errors=first_error.errors,
                invalid_variables=invalid_variables,
            )
