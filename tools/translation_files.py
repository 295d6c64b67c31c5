"""Updates the translation files of the app and of the library. Runs where Babel is installed.

The library's files have the texts of `clever_login/`. The app's files have the texts of the app,
and those of the library that they replace. In a language that the library lacks, they have all
texts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from babel.core import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import PoFileError, read_po, write_po

from tools.app_files import OTHER_FOLDERS
from tools.venv import ROOT

ENGLISH = "en"  # the language of the code: an English file only replaces texts
LIBRARY = "clever_login"
PAGES = "**/templates/**.html"
METHODS = [("**.py", "python"), (PAGES, "jinja2")]
OPTIONS = {PAGES: {"silent": "false"}}
KEYWORDS = {**DEFAULT_KEYWORDS, "lazy_gettext": None}
TextKey = tuple[str | None, object]


def extract_texts(folder: Path, left_out: frozenset[str] = frozenset()) -> Catalog:
    """Returns the texts of a folder's code and templates, without some folders inside it."""

    def is_searched(path: str) -> bool:
        name = Path(path).name
        return not name.startswith((".", "_")) and Path(path) not in left_out_paths

    left_out_paths = {folder / name for name in left_out}
    prefix = "" if folder == ROOT else f"{folder.name}/"
    catalog = Catalog()
    texts = extract_from_dir(
        folder, METHODS, OPTIONS, keywords=KEYWORDS, directory_filter=is_searched
    )
    for name, _line, text, _comments, context in texts:
        catalog.add(text, None, [(f"{prefix}{name}", 1)], context=context)
    return catalog


def library_folder() -> Path:
    """Returns the folder of the library: that of this project, or the installed one."""
    if (ROOT / LIBRARY).is_dir():
        return ROOT / LIBRARY
    spec = find_spec(LIBRARY)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{LIBRARY} is neither in this folder nor installed.")
    return Path(spec.submodule_search_locations[0])


@dataclass(frozen=True)
class Texts:
    """The texts that the code and the templates use, of the app and of the library.

    `library_files` has the library's translations, by language.
    """

    app: Catalog
    library: Catalog
    library_files: Mapping[str, Catalog]

    def of_app_file(self, language: str, existing: Catalog) -> Catalog:
        """Returns the texts that a file of the app must have."""
        own = {_key(message): _forms(message) for message in existing if message.id}

        def is_in_file(message: Message) -> bool:
            return _key(message) in own

        def replaces_library(message: Message) -> bool:
            forms = own.get(_key(message), ())
            return any(forms) and forms != self._library_forms(language, message)

        def every(_message: Message) -> bool:
            return True

        is_translated = language in self.library_files or language == ENGLISH
        return _select(
            (self.app, is_in_file if language == ENGLISH else every),
            (self.library, replaces_library if is_translated else every),
        )

    def _library_forms(self, language: str, message: Message) -> tuple[str, ...]:
        if language == ENGLISH:
            return _as_tuple(message.id)
        translated = self.library_files[language].get(message.id, message.context)
        return _forms(translated) if translated else ()


def find_texts() -> Texts:
    """Searches the app and the library."""
    library = library_folder()
    return Texts(
        app=extract_texts(ROOT, frozenset({*OTHER_FOLDERS, LIBRARY})),
        library=extract_texts(library),
        library_files={
            path.parts[-3]: _read_file(path) for path in _files(library / "translations")
        },
    )


def update_file(path: Path, template: Catalog) -> list[Message]:
    """Adds new texts to a file and removes unused ones. Returns the removed texts."""
    catalog = _read_file(path)
    before = {_key(message): message for message in catalog if message.id}
    after = {_key(message) for message in template}
    catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, ignore_obsolete=True, include_lineno=False, width=76)
    return [message for key, message in before.items() if key not in after]


def main(new_languages: list[str]) -> None:
    """Updates all files, and adds a file for each of these languages."""
    texts, folder = find_texts(), ROOT / "translations"
    added = {folder / name / "LC_MESSAGES" / "messages.po" for name in new_languages}
    for path in sorted({*_files(folder), *added}):
        template = texts.of_app_file(path.parts[-3], _read_file(path))
        _report(path, update_file(path, template), texts.library)
    if library_folder().is_relative_to(ROOT / LIBRARY):
        for path in sorted(_files(ROOT / LIBRARY / "translations")):
            _report(path, update_file(path, texts.library), texts.library)


def _report(path: Path, removed: list[Message], library: Catalog) -> None:
    missing = sum(1 for message in _read_file(path) if message.id and not all(_forms(message)))
    print(f"{path.relative_to(ROOT)}: {missing} without a translation.")
    for message in removed:
        is_used = library.get(message.id, message.context)
        reason = "the library has the same text" if is_used else "no page uses it now"
        print(f"  Removed, because {reason}: {_as_tuple(message.id)[0]}")


def _files(folder: Path) -> list[Path]:
    return [*folder.glob("*/LC_MESSAGES/messages.po")]


def _read_file(path: Path) -> Catalog:
    """Returns the texts of a file, or an empty catalog of the file's language."""
    language = path.parts[-3]
    try:
        Locale.parse(language)
    except (UnknownLocaleError, ValueError) as error:
        raise SystemExit(f"Babel knows no language with the name {language}.") from error
    if not path.is_file():
        return Catalog(locale=language, fuzzy=False)
    try:
        with path.open("rb") as file:
            return read_po(file, locale=language, abort_invalid=True)
    except (PoFileError, ValueError) as error:
        raise SystemExit(f"{path.relative_to(ROOT)} cannot be read: {error}.") from error


def _select(*sources: tuple[Catalog, Callable[[Message], bool]]) -> Catalog:
    """Returns the selected texts of several catalogs. Of equal texts, the first is taken."""
    selected = Catalog()
    for catalog, is_selected in sources:
        for message in catalog:
            is_new = message.id and selected.get(message.id, message.context) is None
            if is_new and is_selected(message):
                selected.add(message.id, None, message.locations, context=message.context)
    return selected


def _key(message: Message) -> TextKey:
    return message.context, _as_tuple(message.id)[0]


def _forms(message: Message) -> tuple[str, ...]:
    return _as_tuple(message.string or "")


def _as_tuple(texts: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


if __name__ == "__main__":
    main(sys.argv[1:])
