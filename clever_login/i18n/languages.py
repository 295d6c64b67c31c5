"""The language of a request: the user's choice, else the browser's preference, else English.

In templates and Python: `_("...")`, `ngettext("%(num)s class", "%(num)s classes", number)`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection
from pathlib import Path
from typing import cast

import flask_babel
from babel import Locale
from babel.support import NullTranslations
from flask import Blueprint, Flask, current_app, g, has_request_context, request
from werkzeug import Response

from clever_login.config import DEVELOPMENT, Settings
from clever_login.i18n.app_babel import (
    LibraryBabel,
    add_library_texts,
    app_has_babel,
    current_app_language,
)
from clever_login.i18n.catalogs import (
    ENGLISH,
    LIBRARY_FOLDER,
    Catalogs,
    Language,
    match_language,
)
from clever_login.logs.events import log_event

_OFFERED_KEY = "clever_login_languages_offered"
# In g: a page asks for its language ten times, and for the texts once for each text.
_LANGUAGE_KEY, _TEXTS_KEY = "clever_login_language", "clever_login_texts"
PROBLEM_TYPE = "application/problem+json"  # RFC 9457


def available_languages() -> dict[str, Language]:
    """Return all languages of this app, by name."""
    return _catalogs().languages


def current_language() -> Language:
    """Return the language of this request, or English outside of a request.

    In an app with its own Flask-Babel, it is the one that the app has chosen.
    """
    in_request = has_request_context()
    if in_request and (known := g.get(_LANGUAGE_KEY)):
        return cast(Language, known)
    if app_has_babel():
        return current_app_language()
    if not in_request:
        return available_languages()[ENGLISH]
    language = _chosen_language() or _browser_language() or available_languages()[ENGLISH]
    setattr(g, _LANGUAGE_KEY, language)
    return language


def set_language_cookie(response: Response, language: Language) -> None:
    """Store a choice in this browser until it is closed or the user logs out."""
    name, secure = _cookie_name_and_secure()
    response.set_cookie(name, language.name, secure=secure, httponly=True, samesite="Lax")


def clear_language_cookie(response: Response) -> None:
    """Delete the stored choice, so that the browser's preference applies to the next user."""
    if not current_app.extensions[_OFFERED_KEY]:  # another cookie of the app may have this name
        return
    name, secure = _cookie_name_and_secure()
    response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")


def _cookie_name_and_secure() -> tuple[str, bool]:
    """Return the cookie's name, and whether it requires HTTPS. It stores only a language's name."""
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    return "__Host-language" if secure else "language", secure


def _chosen_language() -> Language | None:
    """Return the choice in the cookie, or the language in a link such as /?language=es."""
    if not current_app.extensions[_OFFERED_KEY]:
        return None
    names = request.cookies.get(_cookie_name_and_secure()[0]), _requested_name()
    return next(
        (available_languages()[name] for name in names if name in available_languages()), None
    )


def _requested_name() -> str | None:
    try:
        return request.args.get("language")
    except UnicodeDecodeError:  # the error page for such a query needs a language, too
        return None


def _browser_language() -> Language | None:
    """Return the best match of Accept-Language."""
    for tag, quality in request.accept_languages:
        match = match_language(available_languages().values(), tag)
        if match and quality > 0:
            return match
    return None


class _CatalogDomain(flask_babel.Domain):  # type: ignore[misc] # Flask-Babel is untyped
    """Flask-Babel's texts from this app's catalogs: by default it looks for compiled ones."""

    def get_translations(self) -> NullTranslations:
        """Return the texts of this request's language.

        A broken file is logged, and English is used.
        """
        if not has_request_context():
            return _load_translations(ENGLISH)
        if known := g.get(_TEXTS_KEY):
            return cast(NullTranslations, known)
        texts = _load_translations(current_language().name)
        setattr(g, _TEXTS_KEY, texts)
        return texts


def _load_translations(name: str) -> NullTranslations:
    try:
        return _catalogs().translations(name)
    except ValueError as error:
        log_event("broken_language", level=logging.ERROR, language=name, reason=str(error))
        return _catalogs().translations(name)


def _catalogs() -> Catalogs:
    return cast(Catalogs, current_app.extensions["languages"])


def _select_locale() -> Locale:
    return current_language().locale


def set_content_language(response: Response) -> Response:
    """Add the headers that name the language of a page, or of an error in JSON."""
    if response.mimetype in {"text/html", PROBLEM_TYPE}:
        response.content_language.add(current_language().tag)
        response.vary.add("Accept-Language")
    return response


def _check_catalogs(catalogs: Catalogs) -> None:
    """In development, print the problems of the catalogs and exit, as invalid settings do."""
    problems = [*catalogs.problems()]
    if problems:
        sys.stderr.write("".join(f"{problem}\n" for problem in problems))
        raise SystemExit(3)


def init_app(app: Flask, settings: Settings, only: Collection[str] = ()) -> None:
    """Offer all languages on each page of the app, and give `_` and `ngettext` to templates.

    `only` limits the languages to these names. Raises ValueError for a name without a file, and
    TypeError if the app has its own Flask-Babel.
    """
    with app.app_context():
        _refuse_app_babel()
    app.before_request(_refuse_app_babel)  # an app may create its Babel after CleverLogin
    catalogs = _install_babel(app, only)
    if settings.app_env == DEVELOPMENT:
        _check_catalogs(catalogs)
    app.extensions[_OFFERED_KEY] = True
    app.context_processor(_language_and_choices)
    app.after_request(set_content_language)


def init_blueprint(app: Flask, blueprint: Blueprint) -> None:
    """Show the pages of a blueprint in the browser's language, without a choice.

    The texts of the app replace those of the library. If the app has a Flask-Babel of its own, its
    translations and its language apply.
    """
    with app.app_context():
        if not app_has_babel():
            _install_babel(app)
        add_library_texts()
    app.before_request(add_library_texts)  # an app may create its Babel after CleverLogin
    app.extensions[_OFFERED_KEY] = False
    blueprint.context_processor(_language_names)
    blueprint.after_request(set_content_language)


def _refuse_app_babel() -> None:
    if app_has_babel():
        raise TypeError(
            "CleverLogin got parts.Languages, but the app has its own Flask-Babel, which chooses "
            "the language, too: remove one of them."
        )


def _install_babel(app: Flask, only: Collection[str] = ()) -> Catalogs:
    """Install a Flask-Babel with the texts of the library and of the app, and return them."""
    names = app.config.get("BABEL_TRANSLATION_DIRECTORIES", "translations").split(";")
    folders = [Path(app.root_path, name) for name in names]
    catalogs = Catalogs(LIBRARY_FOLDER, *folders, only=only)
    for name in only:
        if name not in catalogs.languages:
            raise ValueError(
                f"parts.Languages got only={name!r}, but translations/{name} is missing."
            )
    app.extensions["languages"] = catalogs
    babel = LibraryBabel(app, locale_selector=_select_locale)
    babel.domain_instance = _CatalogDomain()
    # Jinja's own `_` looks up `gettext` in the template's context for each text.
    app.jinja_env.globals["_"] = app.jinja_env.globals["gettext"]
    return catalogs


def _language_names() -> dict[str, object]:
    return {"language": current_language()}


def _language_and_choices() -> dict[str, object]:
    return {"language": current_language(), "languages": available_languages().values()}
