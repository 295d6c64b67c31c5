"""The parts that an app can add to the login: each is a dataclass for `CleverLogin(parts=[...])`.

CleverLogin installs them in its own order. A field that is None has the value of the setting with
the same name (docs/settings.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, ClassVar

from clever_login.config import Settings
from clever_login.errors import require_extra

if TYPE_CHECKING:
    from sqlalchemy import MetaData


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something that CleverLogin adds to an app."""

    needs: ClassVar[tuple[str, ...]] = ()  # names of other parts, see `needed_parts`
    extra: ClassVar[str] = ""  # pip's extra with the packages that it needs
    overrides: ClassVar[Mapping[str, str]] = {}  # field -> the setting that it replaces

    def needed_parts(self) -> tuple[str, ...]:
        """Return the names of other parts, without which this one cannot work."""
        return self.needs

    def check_packages(self) -> None:
        """Raise ImportError if the packages of the extra are not installed."""
        if self.extra:
            require_extra(self.extra, f"parts.{type(self).__name__}")

    def apply(self, settings: Settings) -> Settings:
        """Return the settings with the values of this part's fields."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changes = {
            setting: values[name]
            for name, setting in self.overrides.items()
            if values[name] is not None
        }
        return replace(settings, **changes)


@dataclass(frozen=True, kw_only=True)
class Sessions(Part):
    """Sessions on the server, encrypted, CSRF protection of every form, and the user as JSON.

    `idle_minutes` and `max_hours` limit a session. With `single`, a login ends the user's other
    sessions.
    """

    overrides: ClassVar[Mapping[str, str]] = {
        "idle_minutes": "session_idle_minutes",
        "max_hours": "session_max_hours",
        "single": "session_single",
    }
    idle_minutes: int | None = None
    max_hours: int | None = None
    single: bool | None = None


@dataclass(frozen=True, kw_only=True)
class ClosedByDefault(Part):
    """Requires a login for every view of the app that is not marked `@public`.

    Pages redirect to the login, anything else answers 401. Also refuses forms that come from
    another site.
    """

    needs: ClassVar[tuple[str, ...]] = ("Sessions",)


@dataclass(frozen=True, kw_only=True)
class SecurityHeaders(Part):
    """Security headers, and checks of every request: its host, HTTPS, frames, and size.

    `csp` replaces or adds directives of the Content-Security-Policy: {"img-src": "'self' data:"}.
    `hosts` are further host names of the app, beside that of APP_URL. `max_body` is the largest
    request in bytes; `@body_limit` allows more for one view.
    """

    csp: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    max_body: int | None = None


@dataclass(frozen=True, kw_only=True)
class ErrorPages(Part):
    """A page for every failure in the app: what happened, what to do, a reference for support.

    Clients that do not ask for HTML get the failure as JSON (RFC 9457).
    """


@dataclass(frozen=True, kw_only=True)
class StaticFiles(Part):
    """Static files with a content hash in their names, compressed, cached by browsers for years."""

    needs: ClassVar[tuple[str, ...]] = ("SecurityHeaders",)


@dataclass(frozen=True, kw_only=True)
class Compression(Part):
    """Compressed pages."""


@dataclass(frozen=True, kw_only=True)
class IdleTimeout(Part):
    """A page leaves the screen when its session ends. It warns first and lets the user stay."""

    needs: ClassVar[tuple[str, ...]] = ("Sessions",)


@dataclass(frozen=True, kw_only=True)
class Languages(Part):
    """Pages in several languages, and a link to each language below the page.

    The languages are those with a file in `translations/` of the app or of the library. `only`
    limits them to these names; English is always one of them.
    """

    only: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Health(Part):
    """/healthz and /readyz, for hosts and load balancers."""


@dataclass(frozen=True, kw_only=True)
class Accounts(Part):
    """Accounts in this app's database, links that claim older accounts, and preferred names."""

    needs: ClassVar[tuple[str, ...]] = ("Sessions",)
    extra: ClassVar[str] = "rosters"
    overrides: ClassVar[Mapping[str, str]] = {"ask_preferred_name": "ask_preferred_name"}
    ask_preferred_name: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Rosters(Part):
    """Pages of classes, schools, and districts, and the commands that sync them with Clever.

    With `pages=False`, only the queries of `clever_login.rosters` and the commands. That works in
    an app with its own sessions, too. `sync_button` lets district administrators start a sync,
    which runs in a process of its own. `flask_app` is how `flask --app` finds the app in that
    process; without it, FLASK_APP or the app's module.
    """

    extra: ClassVar[str] = "rosters"
    overrides: ClassVar[Mapping[str, str]] = {"sync_button": "sync_button"}
    pages: bool = True
    sync_button: bool | None = None
    flask_app: str | None = None

    def needed_parts(self) -> tuple[str, ...]:
        """Return Sessions, which the pages need."""
        return ("Sessions",) if self.pages else ()


@dataclass(frozen=True, kw_only=True)
class Database(Part):
    """The product's own tables, in the database of the library.

    `migrations` is the folder of the product's Alembic migrations, beside the app's module or in
    the current folder. `flask clever db upgrade` runs them after the library's. Without that
    folder, a SQLite file gets the tables of `metadata` that are missing.
    """

    extra: ClassVar[str] = "rosters"
    metadata: MetaData | None = None
    migrations: str = "migrations"
