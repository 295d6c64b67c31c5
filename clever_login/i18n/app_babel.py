"""An app with a Flask-Babel of its own: the app chooses the language and translates its own texts.

The library adds its texts behind those of the app. So a text of the app always wins, and the
library's pages follow the app's locale selector.
"""

from __future__ import annotations

from copy import copy
from functools import cache

import flask_babel
from babel import Locale
from babel.support import NullTranslations
from flask import current_app
from flask_babel import get_babel

from clever_login.i18n.catalogs import (
    ENGLISH,
    LIBRARY_FOLDER,
    Catalogs,
    Language,
    match_language,
)


class LibraryBabel(flask_babel.Babel):  # type: ignore[misc] # Flask-Babel is untyped
    """The Flask-Babel that the library installs in an app without one."""


def app_has_babel() -> bool:
    """Whether the current app has a Flask-Babel that is not the library's."""
    babel = current_app.extensions.get("babel")
    return babel is not None and not isinstance(babel.instance, LibraryBabel)


def add_library_texts() -> None:
    """Add the library's texts to the Flask-Babel of the current app, unless that is done.

    Call it with an application context, as often as you like.
    """
    if app_has_babel():
        babel = get_babel().instance
        if not isinstance(babel.domain_instance, _AppDomain):
            babel.domain_instance = _AppDomain(babel.domain_instance)


def current_app_language() -> Language:
    """Return the language that the app has chosen for this request.

    It is English if neither the app nor the library has texts in the app's language.
    """
    locale = flask_babel.get_locale() or Locale(ENGLISH)
    domain = get_babel().instance.domain_instance
    app_texts = domain.app_texts() if isinstance(domain, _AppDomain) else domain.get_translations()
    has_texts = match_language(_library_catalogs().languages.values(), _tag(locale))
    if has_texts or getattr(app_texts, "files", None):
        return Language(name=str(locale), locale=locale)
    return _library_catalogs().languages[ENGLISH]


class _AppDomain(flask_babel.Domain):  # type: ignore[misc] # Flask-Babel is untyped
    """The app's texts. A text that the app has not translated is looked up in the library's."""

    def __init__(self, domain: flask_babel.Domain) -> None:
        super().__init__()
        self.domain, self.cache, self._app_domain = domain.domain, domain.cache, domain
        self._combined: dict[str, tuple[NullTranslations, NullTranslations]] = {}

    @property
    def translation_directories(self) -> list[str]:
        """The folders of the app's texts."""
        folders: list[str] = self._app_domain.translation_directories
        return folders

    def app_texts(self) -> NullTranslations:
        """Return the app's texts alone."""
        texts: NullTranslations = self._app_domain.get_translations()
        return texts

    def get_translations(self) -> NullTranslations:
        """Return the texts in the language that the app has chosen."""
        app_texts, locale = self.app_texts(), flask_babel.get_locale()
        if locale is None:  # outside of an application context
            return app_texts
        known, combined = self._combined.get(str(locale), (None, None))
        if known is not app_texts or combined is None:
            combined = copy(app_texts)  # the app's own object stays as it is
            combined.add_fallback(_library_texts(locale))
            self._combined[str(locale)] = (app_texts, combined)
        return combined


def _library_texts(locale: Locale) -> NullTranslations:
    catalogs = _library_catalogs()
    language = match_language(catalogs.languages.values(), _tag(locale))
    return catalogs.translations(language.name if language else ENGLISH)


@cache
def _library_catalogs() -> Catalogs:
    return Catalogs(LIBRARY_FOLDER)


def _tag(locale: Locale) -> str:
    return str(locale).replace("_", "-")
