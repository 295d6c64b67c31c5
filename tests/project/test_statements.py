"""Tests that each sentence of SECURITY.md and PRIVACY.md has a test, see docs/statements.md."""

from __future__ import annotations

import re

from tests.project.test_architecture import names_of_tests
from tests.support.running_app import ROOT
from tests.support.statements import sentences

PAGES = ("SECURITY.md", "PRIVACY.md")
REASONS = {"advice", "about others", "about this page", "a limit"}
ENTRY = re.compile(r"^- (?:\(([a-z ]+)\) )?(.+)(?:\n  - (test_\w+(?:, test_\w+)*))?$", re.MULTILINE)


def test_every_sentence_has_a_test_or_says_nothing_about_the_app() -> None:
    entries = ENTRY.findall((ROOT / "docs" / "statements.md").read_text())
    written = [
        sentence.replace("](docs/", "](")  # a link from the folder docs
        for page in PAGES
        for sentence in sentences((ROOT / page).read_text())
    ]
    listed = [sentence for _, sentence, _ in entries]
    assert [sentence for sentence in written if sentence not in listed] == []
    assert listed == written
    for reason, sentence, tests in entries:
        assert bool(tests) != (reason in REASONS), sentence
        assert set(tests.split(", ")) - {""} <= names_of_tests(), sentence


def test_a_page_is_split_into_its_sentences() -> None:
    page = """# Title\n\nOne *sentence.* It ends.\nAnother\none: `x` too.\n\n- A bullet.\n  Two.
- **Bold.** Three.\n\n| a | b |\n|---|---|\n| c | `d.` e |\n\n```sh\ncommand\n```\n"""
    assert list(sentences(page)) == [
        *("One *sentence.* It ends.", "Another one:", "`x` too.", "A bullet.", "Two."),
        *("**Bold.** Three.", "a; b", "c; `d.` e"),
    ]
