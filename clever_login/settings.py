"""The environment, read once into one frozen object, or every fault in it at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from clever_login.api.versions import VERSIONS

PRODUCTION, DEVELOPMENT = "production", "development"
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
SHORTEST_SECRET = 32  # characters: 128 bits even when written as hexadecimal digits
SAMPLE_WORDS = ("change-me", "changeme", "replace", "secret-key", "example", "your-", "password")


class SettingsError(Exception):
    """One or more settings are wrong; the message names each, one a line."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"The app cannot start. In its environment:\n{lines}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the app is told from outside; each field is the variable of the same name."""

    app_env: str = PRODUCTION
    secret_key: str = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(default=(), repr=False)
    app_url: str
    clever_client_id: str
    clever_client_secret: str = field(repr=False)
    clever_api_version: str = "v3.0"
    clever_url: str = "https://clever.com"
    clever_api_url: str = "https://api.clever.com"
    clever_ca_bundle: str | None = None
    clever_district_id: str | None = None
    redis_url: str | None = field(default=None, repr=False)
    redis_tls_verify: bool = True
    session_idle_minutes: int = 30
    session_max_hours: int = 8
    trusted_proxies: int = 0
    port: int = 3000
    instance_path: str | None = None  # not from the environment: tests give each app its own

    @property
    def redirect_uri(self) -> str:
        """The callback's address, built from APP_URL and never from a request's Host."""
        return f"{self.app_url}/oauth/callback"

    @property
    def https(self) -> bool:
        """Whether browsers reach the app by https."""
        return self.app_url.startswith("https://")

    @property
    def signing_keys(self) -> list[str]:
        """SECRET_KEY last: the order in which itsdangerous wants them, oldest first."""
        return [*reversed(self.secret_key_fallbacks), self.secret_key]


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; raise SettingsError with every fault that was found."""
    read = _Reader(environ)
    production = read.choice("APP_ENV", PRODUCTION, (PRODUCTION, DEVELOPMENT)) == PRODUCTION
    settings = Settings(
        app_env=PRODUCTION if production else DEVELOPMENT,
        secret_key=read.secret("SECRET_KEY", production),
        secret_key_fallbacks=read.words("SECRET_KEY_FALLBACKS"),
        app_url=read.origin("APP_URL", None if production else "http://localhost:3000"),
        clever_client_id=read.required("CLEVER_CLIENT_ID"),
        clever_client_secret=read.required("CLEVER_CLIENT_SECRET"),
        clever_api_version=read.choice("CLEVER_API_VERSION", "v3.0", tuple(VERSIONS)),
        clever_url=read.origin("CLEVER_URL", "https://clever.com"),
        clever_api_url=read.origin("CLEVER_API_URL", "https://api.clever.com"),
        clever_ca_bundle=read.file("CLEVER_CA_BUNDLE"),
        clever_district_id=read.identifier("CLEVER_DISTRICT_ID"),
        redis_url=read.redis("REDIS_URL"),
        redis_tls_verify=read.switch("REDIS_TLS_VERIFY", default=True),
        session_idle_minutes=read.number("SESSION_IDLE_MINUTES", 30, 1, 24 * 60),
        session_max_hours=read.number("SESSION_MAX_HOURS", 8, 1, 24),
        trusted_proxies=read.number("TRUSTED_PROXIES", 0, 0, 10),
        port=read.number("PORT", 3000, 1, 65535),
    )
    if production:
        read.faults += _production_faults(settings, environ)
    if read.faults:
        raise SettingsError(read.faults)
    return settings


def load_or_exit() -> Settings:
    """Read the settings, or print their faults and leave.

    The exit code is 3, which tells gunicorn's master not to start the worker again.
    """
    try:
        return load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(3) from None


def _production_faults(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """What is right on a laptop and wrong where children log in."""
    faults = []
    if settings.app_url and not settings.https:
        faults.append("APP_URL must begin with https:// in production.")
    if environ.get("FLASK_DEBUG", "").lower() not in {"", *FALSE}:
        faults.append("FLASK_DEBUG must be off in production.")
    for name, url in (
        ("CLEVER_URL", settings.clever_url),
        ("CLEVER_API_URL", settings.clever_api_url),
    ):
        host = urlsplit(url).hostname or ""
        if url and not (url.startswith("https://") and f".{host}".endswith(".clever.com")):
            faults.append(f"{name} must be https at clever.com or a name under it in production.")
    return faults


class _Reader:
    """Reads one variable at a time and remembers what is wrong instead of stopping."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.faults: list[str] = []

    def text(self, name: str) -> str | None:
        """The value without surrounding blanks; an empty one counts as unset."""
        return self.environ.get(name, "").strip() or None

    def fault(self, sentence: str) -> str:
        self.faults.append(sentence)
        return ""

    def required(self, name: str) -> str:
        return self.text(name) or self.fault(
            f"{name} is missing: it is on your app's Settings page in Clever's dashboard."
        )

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name) or default
        if value not in allowed:
            self.fault(f"{name} is {value!r}; it can be {', '.join(allowed)}.")
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name) or str(default)
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            self.fault(f"{name} is {value!r}; it can be a whole number from {least} to {most}.")
            return default
        return int(value)

    def switch(self, name: str, *, default: bool) -> bool:
        value = (self.text(name) or str(default)).lower()
        if value not in TRUE | FALSE:
            self.fault(f"{name} is {value!r}; it can be on or off.")
        return value in TRUE

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in (self.text(name) or "").split(",") if part.strip())

    def file(self, name: str) -> str | None:
        value = self.text(name)
        if value and not Path(value).is_file():
            self.fault(f"{name} is {value!r}, and no file is there.")
        return value

    def identifier(self, name: str) -> str | None:
        value = self.text(name)
        if value and not (value.isascii() and value.isalnum()):
            self.fault(f"{name} is {value!r}; an id of Clever's has letters and digits only.")
        return value

    def origin(self, name: str, default: str | None) -> str:
        """A scheme and a host, perhaps a port, and nothing behind it."""
        value = (self.text(name) or default or "").rstrip("/")
        if not value:
            return self.fault(f"{name} is missing: the app's own address, such as https://my.app.")
        try:
            parts = urlsplit(value)
            plain = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            plain = None
        if not plain or value != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
            return self.fault(f"{name} must be like https://host or https://host:port, no path.")
        return value

    def redis(self, name: str) -> str | None:
        value = self.text(name)
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            self.fault(f"{name} must begin with redis://, rediss:// or unix://.")
        return value

    def secret(self, name: str, production: bool) -> str:
        value = self.text(name) or ""
        make = 'Make one: python3 -c "import secrets; print(secrets.token_hex(32))"'
        if not value:
            return self.fault(f"{name} is missing. {make}")
        if production and (len(value) < SHORTEST_SECRET or len(set(value)) < 8):
            return self.fault(f"{name} is too easy to guess. {make}")
        if production and any(word in value.lower() for word in SAMPLE_WORDS):
            return self.fault(f"{name} is a sample, not a secret. {make}")
        return value
