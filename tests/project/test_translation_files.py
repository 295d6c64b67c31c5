"""Tests what bin/translate keeps, adds and removes in a translation file."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from tools.translation_files import Texts, extract_texts, update_file


def catalog(**texts: str) -> Catalog:
    result = Catalog()
    for text, translation in texts.items():
        result.add(text, translation)
    return result


TEXTS = Texts(
    app=catalog(Books=""),
    library=catalog(Out="", Bye="", Name=""),
    library_files={"es": catalog(Out="Salir", Bye="Adiós", Name="Nombre")},
)
FILE = """
msgid "Bye"
msgstr "Own"

msgid "Name"
msgstr "Nombre"

msgid "Gone"
msgstr "Own"
"""


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("es", {"Books": "", "Bye": "Own"}),  # the library has the same text for Name
        ("vi", {"Books": "", "Out": "", "Bye": "Own", "Name": "Nombre"}),
        ("en", {"Bye": "Own", "Name": "Nombre"}),  # the other English texts are in the code
    ],
)
def test_an_app_translation_file_gets_the_apps_texts_and_keeps_overrides_of_library_texts(
    tmp_path: Path, language: str, expected: dict[str, str]
) -> None:
    path = tmp_path / language / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    path.write_text(FILE)
    with path.open("rb") as file:
        existing = read_po(file, locale=language)
    removed = {message.id for message in update_file(path, TEXTS.of_app_file(language, existing))}
    assert removed == {"Bye", "Name", "Gone"} - set(expected)
    with path.open("rb") as file:
        updated = {message.id: message.string for message in read_po(file) if message.id}
    assert updated == expected


def test_texts_of_packages_beside_the_app_are_found_and_those_of_other_folders_are_not(
    tmp_path: Path,
) -> None:
    for name, text in {
        "app.py": '_("In a module")',
        "reading/views.py": '_("In a package")',
        "templates/home.html": "{{ _('On a page') }}",
        "reading/templates/reading/books.html": "{{ ngettext('One', 'Many', 2) }}",
        "tests/test_app.py": '_("In a test")',
        "tools/templates/x.html": "{{ _('In a tool') }}",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    texts = extract_texts(tmp_path, frozenset({"tests", "tools"}))
    ids = {message.id for message in texts if message.id}
    assert ids == {"In a module", "In a package", "On a page", ("One", "Many")}
