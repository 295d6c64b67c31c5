"""Which language a request speaks: the person's choice, else the browser's, else English.

In templates and Python: `_("...")`, `ngettext("%(num)s class", "%(num)s classes", number)`.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import cast

import flask_babel
from babel import Locale
from babel.support import NullTranslations
from flask import Flask, current_app, g, has_request_context, request
from werkzeug import Response

from clever_login import logs
from clever_login.config import DEVELOPMENT, Settings
from clever_login.i18n.catalogs import ENGLISH, Catalogs, Language


def available_languages() -> dict[str, Language]:
    """All languages of this app, by name."""
    return _catalogs().languages


def current_language() -> Language:
    """The language of this request; English outside of one."""
    if not has_request_context():
        return available_languages()[ENGLISH]
    if "language" not in g:
        g.language = _chosen_language() or _browser_language() or available_languages()[ENGLISH]
    return cast(Language, g.language)


def set_language_cookie(response: Response, chosen: Language) -> None:
    """Keep a choice in this browser, until it is closed or its person logs out."""
    name, secure = _cookie_name_and_secure()
    response.set_cookie(name, chosen.name, secure=secure, httponly=True, samesite="Lax")


def clear_language_cookie(response: Response) -> None:
    """Let the browser's own languages count again, for whoever comes next."""
    name, secure = _cookie_name_and_secure()
    response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")


def _cookie_name_and_secure() -> tuple[str, bool]:
    """Its name, and whether it is for https alone; it holds no more than a language's name."""
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    return "__Host-language" if secure else "language", secure


def _chosen_language() -> Language | None:
    """The choice in the cookie, or what a link such as /?language=es asks for."""
    asked = request.cookies.get(_cookie_name_and_secure()[0]), _requested_name()
    return next(
        (available_languages()[name] for name in asked if name in available_languages()), None
    )


def _requested_name() -> str | None:
    try:
        return request.args.get("language")
    except UnicodeDecodeError:  # the page that refuses such a query needs a language, too
        return None


def _browser_language() -> Language | None:
    """The best of Accept-Language: es-MX is answered in es, and zh in zh_Hans."""
    by_tag = {each.tag.lower(): each for each in reversed(available_languages().values())}
    by_root = {tag.partition("-")[0]: each for tag, each in by_tag.items()}
    for tag, quality in request.accept_languages:
        asked = tag.lower()
        found = by_tag.get(asked) or by_root.get(asked.partition("-")[0])
        if found and quality > 0:
            return found
    return None


class _CatalogDomain(flask_babel.Domain):  # type: ignore[misc] # Flask-Babel is untyped
    """Flask-Babel's texts, from our catalogs: it would look for compiled ones."""

    def get_translations(self) -> NullTranslations:
        """Those of this request's language; a broken file is logged, and is English."""
        if not has_request_context():
            return _load_translations(ENGLISH)
        if "texts" not in g:  # which each text of a page would look for
            g.texts = _load_translations(current_language().name)
        return cast(NullTranslations, g.texts)


def _load_translations(name: str) -> NullTranslations:
    try:
        return _catalogs().translations(name)
    except ValueError as error:
        logs.log_event("broken_language", level=logging.ERROR, language=name, reason=str(error))
        return _catalogs().translations(name)


def _catalogs() -> Catalogs:
    return cast(Catalogs, current_app.extensions["languages"])


def _select_locale() -> Locale:
    return current_language().locale


def _set_content_language(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.content_language.add(current_language().tag)
        response.vary.add("Accept-Language")
    return response


def _check_catalogs(catalogs: Catalogs) -> None:
    """Tell whoever writes a catalog of its faults at once, as settings do."""
    faults = [*catalogs.faults()]
    if faults:
        sys.stderr.write("".join(f"{each}\n" for each in faults))
        raise SystemExit(3)


def init_app(app: Flask, settings: Settings) -> None:
    """Find the languages, and give `_`, `ngettext`, `language` and `languages` to templates."""
    folder = app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", "translations")
    catalogs = app.extensions["languages"] = Catalogs(Path(app.root_path, folder))
    if settings.app_env == DEVELOPMENT:
        _check_catalogs(catalogs)
    babel = flask_babel.Babel(app, locale_selector=_select_locale)
    babel.domain_instance = _CatalogDomain()
    app.context_processor(
        lambda: {"language": current_language(), "languages": available_languages().values()}
    )
    app.after_request(_set_content_language)
