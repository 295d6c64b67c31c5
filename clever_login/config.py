"""Settings, read once from environment variables into one frozen object.

EnvironmentReader collects every invalid variable, so one error message lists them all.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clever_login.api_versions import VERSIONS
from clever_login.errors import missing_extra

# The characters allowed in an origin. None of them lets two URL parsers disagree about the host.
ORIGIN_PATTERN = re.compile(
    r"(?P<scheme>https?)://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::(?P<port>[1-9]\d{0,4}))?"
)
PATH_PATTERN = re.compile(r"(?:/[A-Za-z0-9._-]+)*")
POSTGRESQL_SCHEMES = ("postgres://", "postgresql://")
REDIS_URL_PATTERN = re.compile(
    r"rediss?://(?:[^@/?#\s]*@)?(?:[A-Za-z0-9_.-]+|\[[0-9a-f:]+\])(?::[1-9]\d{0,4})?(?:/\d*)?"
    r"|unix://[^?#\s]+"
)
# A path, without options. Every connection to `:memory:` would have its own database.
SQLITE_URL_PATTERN = re.compile(r"sqlite:///(?!/*:memory:)[^?#\x00-\x1f]*[^?#/\x00-\x20]")
EMAIL_PATTERN = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
PERCENTAGE_PATTERN = re.compile(r"(?:[A-Za-z0-9]+=)?(?:[1-9]\d?|100)")
TRUE_VALUES, FALSE_VALUES = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
MIN_SECRET_LENGTH = 32  # characters: 128 bits even when written in hexadecimal
GENERATE_KEY_HINT = 'Generate one: python3 -c "import secrets; print(secrets.token_hex(32))"'
SAMPLE_SECRET_WORDS = (
    "change-me",
    "changeme",
    "replace",
    "secret-key",
    "example",
    "your-",
    "password",
)


class EnvironmentReader:
    """Reads environment variables and collects one sentence per invalid value in `errors`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.errors: list[str] = []

    def text(self, name: str) -> str | None:
        """Return the value without surrounding whitespace, or None if it is unset or blank."""
        return self.environ.get(name, "").strip() or None

    def add_error(self, sentence: str) -> str:
        """Record an error, and return an empty string as a placeholder value."""
        self.errors.append(sentence)
        return ""

    def required(self, name: str) -> str:
        """Return a value from Clever's dashboard that has no default."""
        return self.text(name) or self.add_error(
            f"{name} is missing. Copy it from your app's Settings page in Clever's dashboard."
        )

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """Return one of the allowed words."""
        value = self.text(name) or default
        if value not in allowed:
            self.add_error(f"{name} is {value!r}, but it must be one of: {', '.join(allowed)}.")
        return value

    def number(self, name: str, default: int, minimum: int, maximum: int) -> int:
        """Return a whole number from `minimum` to `maximum`."""
        value = self.text(name) or str(default)
        if not (value.isascii() and value.isdigit() and minimum <= int(value) <= maximum):
            self.add_error(
                f"{name} is {value!r}, but it must be a whole number from {minimum} to {maximum}."
            )
            return default
        return int(value)

    def switch(self, name: str, *, default: bool) -> bool:
        """Return a boolean, accepting the usual spellings of on and off."""
        value = (self.text(name) or str(default)).lower()
        if value not in TRUE_VALUES | FALSE_VALUES:
            self.add_error(f"{name} is {value!r}, but it must be on or off.")
        return value in TRUE_VALUES

    def comma_separated(self, name: str) -> tuple[str, ...]:
        """Return the words of a comma-separated list."""
        return tuple(part.strip() for part in (self.text(name) or "").split(",") if part.strip())

    def file(self, name: str) -> str | None:
        """Return the path of an existing file, or None."""
        value = self.text(name)
        if value and not Path(value).is_file():
            self.add_error(f"{name} is {value!r}, but there is no file at this path.")
        return value

    def identifier(self, name: str) -> str | None:
        """Return a Clever id, or None."""
        value = self.text(name)
        if value and not (value.isascii() and value.isalnum()):
            self.add_error(f"{name} is {value!r}, but a Clever id has only letters and digits.")
        return value

    def origin(self, name: str, default: str | None) -> str:
        """Return a scheme, host, and non-default port, in the form browsers send."""
        value = (self.text(name) or default or "").rstrip("/").lower()
        if not value:
            return self.add_error(
                f"{name} is missing. Set it to the app's own address, such as https://my.app."
            )
        match = ORIGIN_PATTERN.fullmatch(value)
        if not match or int(match["port"] or 1) > 65535:
            return self.add_error(
                f"{name} must look like https://host or https://host:port, without a path."
            )
        default_port = {"http": "80", "https": "443"}[match["scheme"]]
        return value.removesuffix(f":{default_port}") if match["port"] == default_port else value

    def url(self, name: str, default: str | None) -> str | None:
        """Return a URL with or without a path. A variable that is set but empty means None."""
        if name in self.environ and not self.text(name):
            return None
        value = (self.text(name) or default or "").rstrip("/")
        host = "/".join(value.split("/")[:3])
        if value and not (
            ORIGIN_PATTERN.fullmatch(host) and PATH_PATTERN.fullmatch(value[len(host) :])
        ):
            self.add_error(f"{name} must look like https://host or https://host/path, or be empty.")
        return value or None

    def email(self, name: str) -> str | None:
        """Return an email address, or None."""
        value = self.text(name)
        if value and not EMAIL_PATTERN.fullmatch(value):
            self.add_error(f"{name} is {value!r}, but it must look like help@example.org.")
        return value

    def identifiers(self, name: str) -> tuple[str, ...]:
        """Return the Clever ids of a comma-separated list."""
        values = self.comma_separated(name)
        empty = self.text(name) and not values  # "," must not mean "every district"
        if empty or not all(value.isascii() and value.isalnum() for value in values):
            self.add_error(f"{name} must be Clever ids (letters and digits), separated by commas.")
        return values

    def percentages(self, name: str) -> tuple[str, ...]:
        """Return percentages, each alone or after a Clever id and "="."""
        values = self.comma_separated(name)
        for part in values:
            if not PERCENTAGE_PATTERN.fullmatch(part):
                self.add_error(
                    f"{name} must be a percentage from 1 to 100, or percentages of districts "
                    f"(ID=40), separated by commas. It has {part!r}."
                )
        return values

    def redis(self, name: str) -> str | None:
        """Return a Redis URL, or None."""
        value = self.text(name)
        if value and not REDIS_URL_PATTERN.fullmatch(value):
            self.add_error(
                f"{name} must look like redis://host:6379/0 or rediss://:password@host:6379."
            )
        elif value and (sentence := missing_extra("redis", name)):
            self.add_error(sentence)
        return value

    def database(self, name: str) -> str | None:
        """Return the URL of a PostgreSQL database or of a SQLite file, or None."""
        value = self.text(name)
        is_postgresql = value and value.startswith(POSTGRESQL_SCHEMES)
        if value and not is_postgresql and not SQLITE_URL_PATTERN.fullmatch(value):
            self.add_error(
                f"{name} must look like postgresql://user:password@host:5432/name or "
                "sqlite:///path/of/file."
            )
        return value

    def secret(self, name: str, production: bool) -> str:
        """Return a secret. In production it must also pass the checks of `strong`."""
        value = self.text(name) or ""
        if not value:
            return self.add_error(f"{name} is missing. {GENERATE_KEY_HINT}")
        return self.strong(name, value) if production else value

    def secrets(self, name: str, production: bool) -> tuple[str, ...]:
        """Return the previous secrets. In production each must pass the checks of `strong`."""
        values = self.comma_separated(name)
        return tuple(self.strong(name, value) for value in values) if production else values

    def strong(self, name: str, value: str) -> str:
        """Return a secret that is long, varied, and not a sample value."""
        if len(value) < MIN_SECRET_LENGTH or len(set(value)) < 8:
            return self.add_error(f"{name} is too easy to guess. {GENERATE_KEY_HINT}")
        if any(word in value.lower() for word in SAMPLE_SECRET_WORDS):
            return self.add_error(f"{name} is a sample value, not a secret. {GENERATE_KEY_HINT}")
        return value


PRODUCTION, DEVELOPMENT = "production", "development"
COMMAND_CONNECTIONS = 2  # of a machine's, for commands such as a sync and an upgrade
CLEVER_HOLD_PERCENT = 10  # Clever itself holds larger deletions back
CLEVER_URL, STATUS_PAGE_URL = "https://clever.com", "https://status.clever.com"


class SettingsError(Exception):
    """One or more settings are invalid. The message has one line per setting."""

    def __init__(self, errors: list[str]) -> None:
        self.errors = tuple(errors)
        lines = "\n".join(f"  - {error}" for error in errors)
        super().__init__(f"The app cannot start. Fix these settings in its environment:\n{lines}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The app's configuration.

    Each field is read from the variable of the same name, unless noted.
    """

    app_env: str = PRODUCTION
    secret_key: str = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(default=(), repr=False)
    app_url: str
    clever_client_id: str
    clever_client_secret: str = field(repr=False)
    clever_api_version: str = "v3.0"
    clever_url: str = CLEVER_URL
    clever_api_url: str = "https://api.clever.com"
    clever_ca_bundle: str | None = None
    clever_district_id: str | None = None
    clever_district_ids: tuple[str, ...] = ()
    clever_confirm_students: bool = False
    clever_oidc: bool = False
    clever_library: bool = False
    clever_status_url: str | None = None
    database_url: str | None = field(default=None, repr=False)
    release_database_url: str | None = field(default=None, repr=False)
    database_max_connections: int = 20  # of this machine
    database_connections: int | None = None  # of one worker; deprecated
    retention_days: int = 365
    redis_url: str | None = field(default=None, repr=False)
    redis_tls_verify: bool = True
    redis_max_connections: int = 20  # of this machine
    redis_connections: int | None = None  # of one worker; deprecated
    session_idle_minutes: int = 30
    clever_full_read_days: int = 7
    clever_removal_limits: tuple[str, ...] = ()  # "10", or "ID=40" for one district
    session_max_hours: int = 8
    session_single: bool = False
    ask_preferred_name: bool = False
    sync_button: bool = True
    hsts_subdomains: bool = False
    support_email: str | None = None
    support_url: str | None = None
    trusted_proxies: int = 0
    web_concurrency: int = 2
    port: int = 3000
    login_seconds: float = 10.0  # per login; a code expires in 60 s, a router gives up in 30 s
    # No variable sets these, nor login_seconds: CleverLogin sets the prefix, tests the others.
    url_prefix: str = ""
    instance_path: str | None = None

    @classmethod
    def load_or_exit(cls) -> Settings:
        """Read the settings, or print their errors to standard error and exit."""
        return load_settings_or_exit()

    @property
    def redirect_uri(self) -> str:
        """The callback URL, built from APP_URL and never from a request's Host header."""
        return f"{self.app_url}{self.url_prefix}/oauth/callback"

    @property
    def uses_postgresql(self) -> bool:
        """Whether DATABASE_URL is a PostgreSQL database."""
        return (self.database_url or "").startswith(POSTGRESQL_SCHEMES)

    def removal_limit(self, district_id: str) -> int:
        """Return how much of a district's data one sync may remove without a review, in percent."""
        limits = {"": str(CLEVER_HOLD_PERCENT)}
        for part in self.clever_removal_limits:
            key, _, percent = part.rpartition("=")
            limits[key] = percent
        return int(limits.get(district_id, limits[""]))

    @property
    def worker_database_connections(self) -> int:
        """How many PostgreSQL connections one worker may open."""
        share = worker_share(self.database_max_connections, self.web_concurrency)
        return self.database_connections or share

    @property
    def worker_redis_connections(self) -> int:
        """How many Redis connections one worker may open."""
        share = worker_share(self.redis_max_connections, self.web_concurrency)
        return self.redis_connections or share

    @property
    def https(self) -> bool:
        """Whether browsers reach the app over HTTPS."""
        return self.app_url.startswith("https://")

    @property
    def secrets(self) -> tuple[str, ...]:
        """SECRET_KEY, followed by the previous secrets."""
        return (self.secret_key, *self.secret_key_fallbacks)

    @property
    def signing_keys(self) -> list[str]:
        """The secrets in itsdangerous's order: oldest first, SECRET_KEY last."""
        return [*reversed(self.secrets)]


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment.

    Raises SettingsError with every error that was found.
    """
    reader = EnvironmentReader(environ)
    production = reader.choice("APP_ENV", PRODUCTION, (PRODUCTION, DEVELOPMENT)) == PRODUCTION
    settings = _read_settings(reader, production)
    if settings.release_database_url:
        reader.errors += _find_release_errors(settings.release_database_url, settings.database_url)
    if production:
        reader.errors += _find_production_errors(settings, environ)
    if reader.errors:
        raise SettingsError(reader.errors)
    return settings


def _read_settings(reader: EnvironmentReader, production: bool) -> Settings:
    clever = reader.origin("CLEVER_URL", CLEVER_URL)
    status_page = STATUS_PAGE_URL if clever == CLEVER_URL else None
    return Settings(
        app_env=PRODUCTION if production else DEVELOPMENT,
        secret_key=reader.secret("SECRET_KEY", production),
        secret_key_fallbacks=reader.secrets("SECRET_KEY_FALLBACKS", production),
        app_url=reader.origin("APP_URL", None if production else "http://localhost:3000"),
        clever_client_id=reader.required("CLEVER_CLIENT_ID"),
        clever_client_secret=reader.required("CLEVER_CLIENT_SECRET"),
        clever_api_version=reader.choice("CLEVER_API_VERSION", "v3.0", tuple(VERSIONS)),
        clever_url=clever,
        clever_api_url=reader.origin("CLEVER_API_URL", "https://api.clever.com"),
        clever_ca_bundle=reader.file("CLEVER_CA_BUNDLE"),
        clever_district_id=reader.identifier("CLEVER_DISTRICT_ID"),
        clever_district_ids=reader.identifiers("CLEVER_DISTRICT_IDS"),
        clever_confirm_students=reader.switch("CLEVER_CONFIRM_STUDENTS", default=False),
        clever_library=reader.switch("CLEVER_LIBRARY", default=False),
        clever_oidc=reader.switch("CLEVER_OIDC", default=False),
        clever_status_url=reader.url("CLEVER_STATUS_URL", status_page),
        database_url=reader.database("DATABASE_URL"),
        release_database_url=reader.database("RELEASE_DATABASE_URL"),
        retention_days=reader.number("RETENTION_DAYS", 365, 1, 3650),
        redis_url=reader.redis("REDIS_URL"),
        redis_tls_verify=reader.switch("REDIS_TLS_VERIFY", default=True),
        clever_full_read_days=reader.number("CLEVER_FULL_READ_DAYS", 7, 1, 30),
        clever_removal_limits=reader.percentages("CLEVER_REMOVAL_LIMITS"),
        session_idle_minutes=reader.number("SESSION_IDLE_MINUTES", 30, 1, 24 * 60),
        session_max_hours=reader.number("SESSION_MAX_HOURS", 8, 1, 24),
        trusted_proxies=reader.number("TRUSTED_PROXIES", 0, 0, 10),
        support_email=reader.email("SUPPORT_EMAIL"),
        support_url=reader.url("SUPPORT_URL", None),
        port=reader.number("PORT", 3000, 1, 65535),
        **_read_connections(reader),
        **_read_switches(reader),
    )


def _read_connections(reader: EnvironmentReader) -> dict[str, Any]:
    """Read how many connections this machine may use, and the number of its workers."""
    values: dict[str, int | None] = {
        "database_max_connections": reader.number("DATABASE_MAX_CONNECTIONS", 20, 6, 10_000),
        "redis_max_connections": reader.number("REDIS_MAX_CONNECTIONS", 20, 6, 10_000),
        "web_concurrency": reader.number("WEB_CONCURRENCY", 2, 1, 1000),
    }
    deprecated = {
        "DATABASE_CONNECTIONS": reader.number("DATABASE_CONNECTIONS", 4, 1, 100),
        "REDIS_CONNECTIONS": reader.number("REDIS_CONNECTIONS", 4, 1, 100),
    }
    for name, value in deprecated.items():
        if reader.text(name):
            values[name.lower()] = value
            warnings.warn(f"{name} {describe_deprecated(name)}", DeprecationWarning, stacklevel=2)
    return values


def describe_deprecated(name: str) -> str:
    """Return what to write instead of DATABASE_CONNECTIONS or REDIS_CONNECTIONS."""
    return (
        f"is deprecated. Remove it, and set {name.replace('_', '_MAX_', 1)} to the number of "
        "connections that this machine may use."
    )


def _read_switches(reader: EnvironmentReader) -> dict[str, Any]:
    """Read what an operator turns on or off for the whole app."""
    return {
        "session_single": reader.switch("SESSION_SINGLE", default=False),
        "ask_preferred_name": reader.switch("ASK_PREFERRED_NAME", default=False),
        "sync_button": reader.switch("SYNC_BUTTON", default=True),
        "hsts_subdomains": reader.switch("HSTS_SUBDOMAINS", default=False),
    }


def worker_share(limit: int, workers: int) -> int:
    """Return how many of a machine's connections one of its workers may open.

    During a deploy, old and new workers overlap, and two commands need one connection each.
    """
    return max(2, (limit - COMMAND_CONNECTIONS) // (2 * workers))


def load_settings_or_exit() -> Settings:
    """Read the settings, or print their errors to standard error and exit.

    The exit code is 3, which tells gunicorn's master not to restart the worker.
    """
    try:
        return load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(3) from None


def _find_release_errors(*urls: str | None) -> list[str]:
    """Find URLs of files: a file has no roles."""
    if all(url and url.startswith("postgres") for url in urls):
        return []
    return ["RELEASE_DATABASE_URL needs PostgreSQL there and in DATABASE_URL."]


def _find_production_errors(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """Find settings that are fine in development and unsafe in production."""
    errors = []
    if settings.app_url and not settings.https:
        errors.append(
            "APP_URL must begin with https:// in production. On your own machine, set "
            "APP_ENV=development."
        )
    if environ.get("FLASK_DEBUG", "").lower() not in {"", *FALSE_VALUES}:
        errors.append("FLASK_DEBUG must be off in production.")
    for name, url in (
        ("CLEVER_URL", settings.clever_url),
        ("CLEVER_API_URL", settings.clever_api_url),
    ):
        host = urlsplit(url).hostname or ""
        if url and not (url.startswith("https://") and f".{host}".endswith(".clever.com")):
            errors.append(
                f"{name} must be an https URL at clever.com or one of its subdomains in production."
            )
    return errors


# Between any two machines: app servers, Clever's servers, database servers.
MAX_CLOCK_DIFFERENCE_SECONDS = 120
