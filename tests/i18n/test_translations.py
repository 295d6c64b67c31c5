"""Tests that every text is translated, in the code and on every page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import chain
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from bs4 import BeautifulSoup
from sqlalchemy import select, update

from clever_login.db.models import District, utc_now
from clever_login.i18n.catalogs import LIBRARY_FOLDER, Catalogs
from tests.clever.test_status_page import wait_until_asked
from tests.conftest import SiteMaker
from tests.support import reading_level, reference_app
from tests.support.browser_client import send_request
from tests.support.reading_level import NOT_LOGGED_IN, READERS, PageReader
from tests.support.roster_fixtures import LONG_AGO, database_session
from tests.support.running_app import ROOT, Site
from tools import translation_files

PLACEHOLDER = re.compile(r"(%\(\w+\)[sd]|%%)")
LONGEST = 10  # words in a sentence
WORD = re.compile(r"•|\d+|[^\W\d_][\w'’-]*")  # including names
PSEUDO = "eo"  # has as many plural forms as English
OF_BABEL = {
    "English",
    "Esperanto",
    "antaŭ",
    "minuto",
    "minutoj",
    "jaroj",
}  # names of languages and times
for width in ("wide", "abbreviated"):
    OF_BABEL |= set(Locale(PSEUDO).months["format"][width].values())
FOLDERS = {"app": reference_app.FOLDER / "translations", "library": LIBRARY_FOLDER}
FILES = [
    (owner, path)
    for owner, folder in FOLDERS.items()
    for path in sorted(folder.glob("*/LC_MESSAGES/messages.po"))
]


@pytest.fixture(scope="module")
def templates() -> dict[str, Catalog]:
    """Every text of the reference app and of the library, as bin/translate finds them."""
    return {
        "app": translation_files.extract_texts(reference_app.FOLDER),
        "library": translation_files.extract_texts(LIBRARY_FOLDER.parent),
    }


def texts(catalog: Catalog) -> set[tuple[str | None, str]]:
    return {(message.context, str(message.id)) for message in catalog if message.id}


def forms(text: str | Sequence[str] | None) -> list[str]:
    return [text] if isinstance(text, str) else [*(text or ())]


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text)) - {"%%"}


@pytest.mark.parametrize(
    ("owner", "path"), FILES, ids=[f"{owner}-{path.parts[-3]}" for owner, path in FILES]
)
def test_every_text_is_translated_and_no_translation_is_unused(
    owner: str, path: Path, templates: dict[str, Catalog]
) -> None:
    template = templates[owner]
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.parts[-3], abort_invalid=True)
    assert texts(template) - texts(catalog) == set(), "new texts: bin/translate"
    assert texts(catalog) - texts(template) == set(), "texts that are gone: bin/translate"
    assert not catalog.obsolete
    for message in (message for message in catalog if message.id):
        english, other = forms(message.id), forms(message.string)
        assert all(other), f"not translated: {message.id}"
        assert not message.fuzzy, message.id
        for form in other[-1:] if len(english) > 1 else other:  # one form may omit the number
            assert placeholders(form) == placeholders(english[-1]), message.id


def test_spanish_exists_and_no_catalog_has_problems() -> None:
    for folder in FOLDERS.values():
        catalogs = Catalogs(folder)
        assert "es" in catalogs.languages
        assert [*catalogs.problems()] == []


@pytest.fixture(scope="module")
def bracketed(
    templates: dict[str, Catalog], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, set[str]]]:
    """The app in a pseudo-language in which every text of a catalog is in brackets."""
    folder = tmp_path_factory.mktemp("bracketed")
    path = folder / PSEUDO / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    catalog = Catalog(locale=PSEUDO)
    for message in chain(*templates.values()):
        if message.id:
            ids = (message.id,) if isinstance(message.id, str) else tuple(message.id)
            strings = tuple(map(in_brackets, ids))
            catalog.add(
                message.id, strings if len(ids) > 1 else strings[0], context=message.context
            )
    with path.open("wb") as file:
        write_po(file, catalog)
    with reading_level.run_site_to_read(tmp_path_factory.mktemp("site"), Catalogs(folder)) as site:
        yield site, reading_level.roster_texts(site)


def in_brackets(text: str) -> str:
    """Placeholders stay outside the brackets: their values come from a catalog or are data."""
    parts = PLACEHOLDER.split(text)
    return "".join(
        part if PLACEHOLDER.fullmatch(part) or not part.strip() else f"⟦{part}⟧" for part in parts
    )


def texts_outside_brackets(page_texts: list[str], names: set[str]) -> list[str]:
    """Return the texts outside brackets that are neither data nor a language's own name."""
    text = re.sub(r"⟦[^⟦⟧]*⟧", "\n", "\x1f".join(page_texts))
    remaining = reading_level.remove_texts(text, names | OF_BABEL).split("\x1f")
    return [text.strip() for text in remaining if re.search(r"[^\W\d_]", text)]


def untranslated_texts(reader: PageReader, names: set[str]) -> dict[str, list[str]]:
    """Return these texts by page. Asserts that every page has bracketed text."""
    assert all("⟦" in page.get_text() for page in reader.pages.values())
    texts_by_page = {
        path: texts_outside_brackets(reading_level.all_texts(page), names)
        for path, page in reader.pages.items()
    }
    return {path: texts for path, texts in texts_by_page.items() if texts}


@pytest.mark.parametrize("user_name", [NOT_LOGGED_IN, *READERS])
def test_no_page_has_untranslated_text(bracketed: tuple[Site, set[str]], user_name: str) -> None:
    site, names = bracketed
    reader = PageReader(site, user_name, PSEUDO).look_around(reading_level.claim_link(site))
    assert len(reader.pages) > 3
    assert untranslated_texts(reader, names) == {}


def test_no_error_page_has_untranslated_text(bracketed: tuple[Site, set[str]]) -> None:
    site, names = bracketed
    assert untranslated_texts(PageReader(site, NOT_LOGGED_IN, PSEUDO).fail(), names) == {}


@pytest.mark.parametrize(
    ("part", "user_name", "status"),
    [("user", "student", 503), ("user", "teacher", 403), ("school", "teacher_admin", 404)],
)
def test_no_notice_about_missing_data_is_untranslated(
    bracketed: tuple[Site, set[str]], part: str, user_name: str, status: int
) -> None:
    site, names = bracketed
    site.clever.add_fault(part, status=status, times=2)
    reader = PageReader(site, user_name, PSEUDO).see("/dashboard")
    site.clever.clear_faults()
    assert "%(what)s" not in str(reader.pages)
    assert untranslated_texts(reader, names) == {}


@pytest.mark.parametrize(
    "troubles",
    [
        {"state": "paused"},
        {"state": "pending", "launch_date": date(2099, 9, 1)},
        {"state": "error", "error": reading_level.INCIDENT},
        {"problem": "too_many"},
        {"problem": "token"},
        {"problem": "no_rosters"},
        {"synced_at": None},
        {"synced_at": LONG_AGO},
    ],
    ids=str,
)
def test_no_notice_about_a_sync_is_untranslated(
    bracketed: tuple[Site, set[str]], troubles: dict[str, object]
) -> None:
    site, names = bracketed
    with database_session(site) as session:
        before = {
            trouble: getattr(session.scalars(select(District)).first(), trouble)
            for trouble in troubles
        }
        session.execute(update(District).values(troubles))
    readers = [
        PageReader(site, user_name, PSEUDO).see("/dashboard")
        for user_name in ("district_admin", "school_admin")
    ]
    with database_session(site) as session:
        session.execute(update(District).values(before))
    for reader in readers:
        assert reader.pages["/dashboard"].select(".notice:not(.good)")
        assert untranslated_texts(reader, names) == {}


def test_no_page_has_untranslated_text_during_impersonation(
    bracketed: tuple[Site, set[str]],
) -> None:
    site, names = bracketed
    reader = PageReader(site, "student", PSEUDO)
    visitor = reader.arrive().open("/oauth/callback?code=x&loginas_by_admin=true")
    reader.pages["/dashboard"] = visitor.page
    assert visitor.page.select_one(".by-admin")
    assert untranslated_texts(reader, names) == {}


def test_no_library_or_framed_page_has_untranslated_text(
    bracketed: tuple[Site, set[str]], make_site: SiteMaker
) -> None:
    site, names = bracketed
    assert site.app
    texts_of = site.app.extensions["languages"]
    library = make_site(
        clever_library=True, extend=lambda app: app.extensions.update(languages=texts_of)
    )
    assert untranslated_texts(PageReader(library, NOT_LOGGED_IN, PSEUDO).see("/"), names) == {}
    framed = send_request(site.url, headers={"Sec-Fetch-Dest": "iframe", "Accept-Language": PSEUDO})
    page = BeautifulSoup(framed.text, "html5lib")
    assert texts_outside_brackets(reading_level.all_texts(page), names) == []


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, set[str]]]:
    with reading_level.run_site_to_read(tmp_path_factory.mktemp("site")) as site:
        yield site, reading_level.roster_texts(site) | {"English", "Español"}


def student_readers(site: Site, repaired: Site, language: str) -> Iterator[PageReader]:
    """Yield readers of all pages that a student can see, including those after failures."""
    link = reading_level.claim_link(site)
    yield PageReader(site, NOT_LOGGED_IN, language).look_around(link)
    yield PageReader(site, "student", language).look_around(link, "/away")
    yield PageReader(site, "sparse", language).look_around()
    yield PageReader(site, NOT_LOGGED_IN, language).fail()
    for part, status in (("user", 503), ("user", 403), ("school", 404), ("district", 503)):
        site.clever.add_fault(part, status=status, times=2)
        yield PageReader(site, "student", language).see("/dashboard")
        site.clever.clear_faults()
    for hours in (3, 20, 72, 720):  # how old the name and the role are, without the user's record
        with database_session(site) as session:
            session.execute(update(District).values(synced_at=utc_now() - timedelta(hours=hours)))
        site.clever.add_fault("user", status=503, times=2)
        yield PageReader(site, "student", language).see("/dashboard")
        site.clever.clear_faults()
    repaired.visitor().open("/")
    wait_until_asked(repaired)
    yield PageReader(repaired, NOT_LOGGED_IN, language).see("/")


@pytest.mark.parametrize("language", ["en", "es"])
def test_student_pages_use_short_sentences_and_words_that_children_know(
    read: tuple[Site, set[str]], make_site: SiteMaker, language: str
) -> None:
    site, names = read
    repaired = make_site(clever_status_url="{clever}/_status")
    repaired.clever.add_incident(reading_level.INCIDENT, "maintenance")
    known_words = set((ROOT / "tests" / "data" / f"words_{language}.txt").read_text().split())
    long, unknown = set(), set()
    for reader in student_readers(site, repaired, language):
        for page in reader.pages.values():
            for sentence in reading_level.sentences(page):
                words = WORD.findall(reading_level.remove_texts(sentence, names, " • "))
                long |= {sentence} if len(words) > LONGEST else set()
                unknown |= {word.lower() for word in words if word[0].isalpha()} - known_words
    assert (long, sorted(unknown)) == (set(), [])
