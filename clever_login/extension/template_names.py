"""What templates find under the name `clever_login`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask
from flask_babel.speaklater import LazyString

from clever_login.auth.last_known import age_note, time_ago
from clever_login.auth.login_views import ROLE_LABELS
from clever_login.auth.other_logins import login_url
from clever_login.clever.models import Role
from clever_login.clever.status_page import Incident
from clever_login.config import Settings
from clever_login.i18n.catalogs import Language
from clever_login.i18n.languages import current_language
from clever_login.services import services
from clever_login.sessions.login_session import LoggedIn, login_session
from clever_login.web import static_files
from clever_login.web.routing import NAMESPACE, after_login_url, home_url


@dataclass(frozen=True, kw_only=True)
class Support:
    """How people reach those who run the app: at least one of the two."""

    email: str | None
    url: str | None


@dataclass(frozen=True, kw_only=True)
class TemplateNames:
    """The names for templates, so that the library adds only one of its own to those of the app."""

    product: str
    allows_library: bool  # whether teachers of Clever Library can log in
    has_stylesheet: bool  # whether the app has a static/style.css
    support: Support | None  # for error pages; None if no setting names it
    static: Callable[[str], str]  # the URL of one of the library's static files
    incident: Callable[[], Incident | None]  # what is wrong at Clever now
    role_labels: Mapping[Role, str]
    age_note: Callable[[float], LazyString] = age_note
    time_ago: Callable[[float], str] = time_ago
    login_url: Callable[..., str] = login_url
    home_url: Callable[..., str] = home_url
    after_login_url: Callable[[], str] = after_login_url

    @property
    def user(self) -> LoggedIn | None:
        """The user who is logged in: with `parts.Sessions`, the CurrentUser."""
        return login_session().current_user()

    @property
    def language(self) -> Language:
        """The language of the page."""
        return current_language()


def init_app(app: Flask, settings: Settings, product: str) -> None:
    """Add the names. Call this when the services and the static files are set up."""
    app.jinja_env.globals[NAMESPACE] = TemplateNames(
        product=product,
        allows_library=settings.clever_library,
        support=_support(settings),
        has_stylesheet=static_files.has_stylesheet(app),
        static=static_files.library_urls(app).url,
        incident=services(app).status.incident,
        role_labels=ROLE_LABELS,
    )


def _support(settings: Settings) -> Support | None:
    if not (settings.support_email or settings.support_url):
        return None
    return Support(email=settings.support_email, url=settings.support_url)
