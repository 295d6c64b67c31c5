"""The available languages, and their translation catalogs: read, checked, and compiled.

Each file `translations/<language>/LC_MESSAGES/messages.po` adds a language. A catalog is read once
per process, when its language is first used, and compiled in memory: adding a language takes only
that file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from threading import Lock

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

_PLACEHOLDER_PATTERN = re.compile(r"%\((\w+)\)")


class CatalogError(ValueError):
    """A translation file cannot be read. The message says where."""


def load_translations(path: Path, language: str) -> Translations:
    """Return the texts of a file. A text that would break its page is left in English."""
    catalog = _read_po_file(path, language)
    for message in catalog:
        if message.id and (_adds_markup(message) or not _placeholders_match(message)):
            message.string = ("",) * len(_plural_forms(message)) if message.pluralizable else ""
    return _compile_translations(catalog, path)


def find_problems(path: Path, language: str) -> Iterator[str]:
    """Return the problems of a file, one sentence each."""
    try:
        stat = path.stat()
    except OSError as error:
        yield f"{_rel_path(path)} cannot be read: {error.strerror}."
        return
    yield from _cached_problems(path, language, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _cached_problems(path: Path, language: str, mtime_ns: int, size: int) -> tuple[str, ...]:
    """Return the problems of one version of a file: several apps in one process check it once."""
    del mtime_ns, size  # part of the cache's key
    return tuple(_problems_in_file(path, language))


def _problems_in_file(path: Path, language: str) -> Iterator[str]:
    try:
        catalog = _read_po_file(path, language)
        _compile_translations(catalog, path)
    except CatalogError as error:
        yield str(error)
        return
    for message in catalog:
        if message.id and not _placeholders_match(message):
            yield (
                f"{_rel_path(path)}, line {message.lineno}: the placeholders differ from the "
                "English text."
            )
        if message.id and _adds_markup(message):
            yield (
                f'{_rel_path(path)}, line {message.lineno}: markup (< or ") that the English '
                "text does not have."
            )
    for message, errors in catalog.check():
        if _placeholders_match(message):
            yield f"{_rel_path(path)}, line {message.lineno}: {errors[0]}."


def _read_po_file(path: Path, language: str) -> Catalog:
    try:
        with path.open("rb") as file:
            return read_po(file, locale=language, abort_invalid=True)
    except Exception as error:  # Babel fails in many ways on an invalid file
        raise CatalogError(f"{_rel_path(path)} cannot be read: {error}.") from error


def _compile_translations(catalog: Catalog, path: Path) -> Translations:
    compiled = BytesIO()
    try:
        write_mo(compiled, catalog)
        compiled.seek(0)
        return Translations(compiled)
    except ValueError as error:
        raise CatalogError(f"{_rel_path(path)} cannot be used: {error}.") from error


def _placeholders_match(message: Message) -> bool:
    """Whether each form of a text can be filled in with the values of the English one."""
    names = {name for text in _as_tuple(message.id) for name in _PLACEHOLDER_PATTERN.findall(text)}
    values = dict.fromkeys({*names, "num"} if message.pluralizable else names, 0)
    try:
        return all(text % values is not None for text in _plural_forms(message))
    except (KeyError, TypeError, ValueError):
        return False


def _adds_markup(message: Message) -> bool:
    """Whether a text has more `<` or `"` than the English one.

    Templates do not escape translated texts.
    """
    allowed = max(map(_count_markup, _as_tuple(message.id)))
    return any(_count_markup(text) > allowed for text in _plural_forms(message))


def _count_markup(text: str) -> int:
    return text.count("<") + text.count('"')


def _plural_forms(message: Message) -> tuple[str, ...]:
    return _as_tuple(message.string or "")


def _as_tuple(texts: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _rel_path(path: Path) -> str:
    return "/".join(path.parts[-4:])


ENGLISH = "en"  # the language of the code and the templates
DEFAULT_TERRITORY = "US"  # the territory for dates and numbers, if the language is spoken there


@dataclass(frozen=True, kw_only=True)
class Language:
    """A language of the pages: its folder's name and its Babel locale."""

    name: str
    locale: Locale

    @property
    def tag(self) -> str:
        """The language tag for HTML and HTTP (BCP 47)."""
        return self.name.replace("_", "-")

    @cached_property
    def label(self) -> str:
        """The language's name in that language, such as Español."""
        label = Locale.parse(self.name).get_display_name() or self.name
        return label[0].upper() + label[1:]

    @cached_property
    def direction(self) -> str:
        """`ltr`, or `rtl` for scripts such as Arabic."""
        return self.locale.text_direction


class Catalogs:
    """The languages of a folder. English is always included, even without a file."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.parts[-3]: path for path in folder.glob("*/LC_MESSAGES/messages.po")}
        self._loaded: dict[str, NullTranslations] = {}
        self._lock = Lock()
        names = [ENGLISH, *sorted(self._paths.keys() - {ENGLISH})]
        self.languages = {
            name: Language(name=name, locale=locale)
            for name in names
            if (locale := _parse_locale(name))
        }

    def translations(self, name: str) -> NullTranslations:
        """Return the texts of a language.

        For a broken file, the first call raises CatalogError and later calls return English.
        """
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = NullTranslations()
                if name in self._paths:
                    self._loaded[name] = load_translations(self._paths[name], name)
            return self._loaded[name]

    def problems(self) -> Iterator[str]:
        """Return the problems of all files as sentences for translators."""

        for name, path in sorted(self._paths.items()):
            if name in self.languages:
                yield from find_problems(path, name)
            else:
                yield f"translations/{name}: Babel knows no language with this name."


def _parse_locale(name: str) -> Locale | None:
    for candidate in (f"{name}_{DEFAULT_TERRITORY}", name):
        try:
            return Locale.parse(candidate)
        except (UnknownLocaleError, ValueError):
            continue
    return None
