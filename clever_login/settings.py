"""The environment, read once into one frozen object, or every fault in it at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from clever_login.api.versions import VERSIONS
from clever_login.environment import FALSE, Reader

PRODUCTION, DEVELOPMENT = "production", "development"
CLEVER, STATUS = "https://clever.com", "https://status.clever.com"


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
    clever_url: str = CLEVER
    clever_api_url: str = "https://api.clever.com"
    clever_ca_bundle: str | None = None
    clever_district_id: str | None = None
    clever_district_ids: tuple[str, ...] = ()
    clever_confirm_students: bool = False
    clever_oidc: bool = False
    clever_library: bool = False
    clever_status_url: str | None = None
    database_url: str | None = field(default=None, repr=False)
    database_connections: int = 4
    retention_days: int = 365
    redis_url: str | None = field(default=None, repr=False)
    redis_tls_verify: bool = True
    redis_connections: int = 4
    session_idle_minutes: int = 30
    session_max_hours: int = 8
    session_single: bool = False
    ask_preferred_name: bool = False
    hsts_subdomains: bool = False
    trusted_proxies: int = 0
    port: int = 3000
    login_seconds: float = 10.0  # for all calls of a login: a code lives 60 s, a router waits 30 s
    instance_path: str | None = None  # like login_seconds not from the environment: tests set both

    @property
    def redirect_uri(self) -> str:
        """The callback's address, built from APP_URL and never from a request's Host."""
        return f"{self.app_url}/oauth/callback"

    @property
    def https(self) -> bool:
        """Whether browsers reach the app by https."""
        return self.app_url.startswith("https://")

    @property
    def secrets(self) -> tuple[str, ...]:
        """SECRET_KEY, then the former ones."""
        return (self.secret_key, *self.secret_key_fallbacks)

    @property
    def signing_keys(self) -> list[str]:
        """SECRET_KEY last: the order in which itsdangerous wants them, oldest first."""
        return [*reversed(self.secrets)]


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; raise SettingsError with every fault that was found."""
    read = Reader(environ)
    production = read.choice("APP_ENV", PRODUCTION, (PRODUCTION, DEVELOPMENT)) == PRODUCTION
    settings = _settings(read, production)
    if production:
        read.faults += _production_faults(settings, environ)
    if read.faults:
        raise SettingsError(read.faults)
    return settings


def _settings(read: Reader, production: bool) -> Settings:
    clever = read.origin("CLEVER_URL", CLEVER)
    return Settings(
        app_env=PRODUCTION if production else DEVELOPMENT,
        secret_key=read.secret("SECRET_KEY", production),
        secret_key_fallbacks=read.secrets("SECRET_KEY_FALLBACKS", production),
        app_url=read.origin("APP_URL", None if production else "http://localhost:3000"),
        clever_client_id=read.required("CLEVER_CLIENT_ID"),
        clever_client_secret=read.required("CLEVER_CLIENT_SECRET"),
        clever_api_version=read.choice("CLEVER_API_VERSION", "v3.0", tuple(VERSIONS)),
        clever_url=clever,
        clever_api_url=read.origin("CLEVER_API_URL", "https://api.clever.com"),
        clever_ca_bundle=read.file("CLEVER_CA_BUNDLE"),
        clever_district_id=read.identifier("CLEVER_DISTRICT_ID"),
        clever_district_ids=read.identifiers("CLEVER_DISTRICT_IDS"),
        clever_confirm_students=read.switch("CLEVER_CONFIRM_STUDENTS", default=False),
        clever_library=read.switch("CLEVER_LIBRARY", default=False),
        clever_oidc=read.switch("CLEVER_OIDC", default=False),
        clever_status_url=read.page("CLEVER_STATUS_URL", STATUS if clever == CLEVER else None),
        database_url=read.database("DATABASE_URL"),
        database_connections=read.number("DATABASE_CONNECTIONS", 4, 1, 100),
        retention_days=read.number("RETENTION_DAYS", 365, 1, 3650),
        redis_url=read.redis("REDIS_URL"),
        redis_tls_verify=read.switch("REDIS_TLS_VERIFY", default=True),
        redis_connections=read.number("REDIS_CONNECTIONS", 4, 1, 100),
        session_idle_minutes=read.number("SESSION_IDLE_MINUTES", 30, 1, 24 * 60),
        session_max_hours=read.number("SESSION_MAX_HOURS", 8, 1, 24),
        session_single=read.switch("SESSION_SINGLE", default=False),
        ask_preferred_name=read.switch("ASK_PREFERRED_NAME", default=False),
        hsts_subdomains=read.switch("HSTS_SUBDOMAINS", default=False),
        trusted_proxies=read.number("TRUSTED_PROXIES", 0, 0, 10),
        port=read.number("PORT", 3000, 1, 65535),
    )


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
