"""The available languages, and their translation catalogs: read, checked, and compiled.

The library and the app each have a folder `translations/`, and each file
`<language>/LC_MESSAGES/messages.po` in one of them adds a language. A catalog is read once per
process, when its language is first used, and compiled in memory: adding a language takes only that
file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
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

LIBRARY_FOLDER = Path(__file__).resolve().parent.parent / "translations"
_PLACEHOLDER_PATTERN = re.compile(r"%\((\w+)\)")


class CatalogError(ValueError):
    """A translation file cannot be read. The message says where."""


def load_translations(path: Path, language: str) -> Translations:
    """Return the texts of a file, without those that are empty or would break their page."""
    catalog = _read_po_file(path, language)
    for message in catalog:
        is_usable = _placeholders_match(message) and not _adds_markup(message)
        if message.id and not (is_usable and any(_plural_forms(message))):
            message.string = ""  # left out of the compiled texts
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
    """Return the path within the app, or within the library's package."""
    return "/".join(path.parts[-5:] if path.is_relative_to(LIBRARY_FOLDER) else path.parts[-4:])


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


def match_language(languages: Iterable[Language], tag: str) -> Language | None:
    """Return the best match of a language tag, or None: es-MX matches es, and zh matches zh_Hans.

    Of several languages with the same root, the first one matches.
    """
    requested, same_root = tag.lower(), None
    for language in languages:
        offered = language.tag.lower()
        if offered == requested:
            return language
        if same_root is None and offered.partition("-")[0] == requested.partition("-")[0]:
            same_root = language
    return same_root


class Catalogs:
    """The languages of some folders. English is always included, even without a file.

    A text of a later folder replaces that of an earlier one. If only one folder has a language, the
    texts of the other are in English. `only` limits the languages to these names.
    """

    def __init__(self, *folders: Path, only: Collection[str] = ()) -> None:
        self._paths: dict[str, list[Path]] = {}
        for folder in folders:
            for path in sorted(folder.glob("*/LC_MESSAGES/messages.po")):
                self._paths.setdefault(path.parts[-3], []).append(path)
        self._loaded: dict[str, NullTranslations] = {}
        self._lock = Lock()
        names = [ENGLISH, *sorted(self._paths.keys() - {ENGLISH})]
        self.languages = {
            name: Language(name=name, locale=locale)
            for name in names
            if (locale := _parse_locale(name)) and (not only or name in {ENGLISH, *only})
        }

    def translations(self, name: str) -> NullTranslations:
        """Return the texts of a language.

        If a file is broken, the first call raises CatalogError, and later calls return the texts
        without that file.
        """
        with self._lock:
            if name not in self._loaded:
                self._loaded[name], error = _load_files(self._paths.get(name, []), name)
                if error:
                    raise error
            return self._loaded[name]

    def problems(self) -> Iterator[str]:
        """Return the problems of all files as sentences for translators."""
        for name, paths in sorted(self._paths.items()):
            if not _parse_locale(name):
                yield f"translations/{name}: Babel knows no language with this name."
            elif name in self.languages:
                for path in paths:
                    yield from find_problems(path, name)


def _load_files(paths: list[Path], name: str) -> tuple[NullTranslations, CatalogError | None]:
    """Return the texts of all readable files, where later ones win, and the first error."""
    texts, first_error = NullTranslations(), None
    for path in paths:
        try:
            loaded = load_translations(path, name)
        except CatalogError as error:
            first_error = first_error or error
        else:
            # A fallback, not a merge: each file has plural rules of its own.
            loaded.add_fallback(texts)
            texts = loaded
    return texts, first_error


def _parse_locale(name: str) -> Locale | None:
    for candidate in (f"{name}_{DEFAULT_TERRITORY}", name):
        try:
            return Locale.parse(candidate)
        except (UnknownLocaleError, ValueError):
            continue
    return None
