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
from clever_login.catalogs import ENGLISH, Catalogs, Language
from clever_login.settings import DEVELOPMENT, Settings


def languages() -> dict[str, Language]:
    """All languages of this app, by name."""
    return _catalogs().languages


def language() -> Language:
    """The language of this request; English outside of one."""
    if not has_request_context():
        return languages()[ENGLISH]
    if "language" not in g:
        g.language = _chosen() or _of_the_browser() or languages()[ENGLISH]
    return cast(Language, g.language)


def keep(response: Response, chosen: Language) -> None:
    """Keep a choice in this browser, until it is closed or its person logs out."""
    name, secure = _cookie()
    response.set_cookie(name, chosen.name, secure=secure, httponly=True, samesite="Lax")


def forget(response: Response) -> None:
    """Let the browser's own languages count again, for whoever comes next."""
    name, secure = _cookie()
    response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")


def _cookie() -> tuple[str, bool]:
    """Its name, and whether it is for https alone; it holds no more than a language's name."""
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    return "__Host-language" if secure else "language", secure


def _chosen() -> Language | None:
    """The choice in the cookie, or what a link such as /?language=es asks for."""
    asked = request.cookies.get(_cookie()[0]), _asked()
    return next((languages()[name] for name in asked if name in languages()), None)


def _asked() -> str | None:
    try:
        return request.args.get("language")
    except UnicodeDecodeError:  # the page that refuses such a query needs a language, too
        return None


def _of_the_browser() -> Language | None:
    """The best of Accept-Language: es-MX is answered in es, and zh in zh_Hans."""
    by_tag = {each.tag.lower(): each for each in reversed(languages().values())}
    by_root = {tag.partition("-")[0]: each for tag, each in by_tag.items()}
    for tag, quality in request.accept_languages:
        asked = tag.lower()
        found = by_tag.get(asked) or by_root.get(asked.partition("-")[0])
        if found and quality > 0:
            return found
    return None


class _Texts(flask_babel.Domain):  # type: ignore[misc] # Flask-Babel is untyped
    """Flask-Babel's texts, from our catalogs: it would look for compiled ones."""

    def get_translations(self) -> NullTranslations:
        """Those of this request's language; a broken file is logged, and is English."""
        if not has_request_context():
            return _texts(ENGLISH)
        if "texts" not in g:  # which each text of a page would look for
            g.texts = _texts(language().name)
        return cast(NullTranslations, g.texts)


def _texts(name: str) -> NullTranslations:
    try:
        return _catalogs().translations(name)
    except ValueError as error:
        logs.event("broken_language", level=logging.ERROR, language=name, reason=str(error))
        return _catalogs().translations(name)


def _catalogs() -> Catalogs:
    return cast(Catalogs, current_app.extensions["languages"])


def _locale() -> Locale:
    return language().locale


def _say_which(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.content_language.add(language().tag)
        response.vary.add("Accept-Language")
    return response


def _check(catalogs: Catalogs) -> None:
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
        _check(catalogs)
    babel = flask_babel.Babel(app, locale_selector=_locale)
    babel.domain_instance = _Texts()
    app.context_processor(lambda: {"language": language(), "languages": languages().values()})
    app.after_request(_say_which)
