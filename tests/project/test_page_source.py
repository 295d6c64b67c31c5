"""Tests that no test fails by chance: no short word is searched in a page with random values."""

from __future__ import annotations

import re

from tests.support.browser_client import Visitor
from tests.support.login_flows import by_button
from tests.support.page_source import without_random_values
from tests.support.running_app import ROOT, Site

# A word of up to five letters that must not be in the raw text of a response.
AT_RISK = re.compile(r"""assert "\w{1,5}" not in (?!without_random).*(response|answer)\.text""")


def tokens(visitor: Visitor) -> list[str]:
    return [str(tag["value"]) for tag in visitor.page.find_all("input", {"name": "csrf_token"})]


def test_the_source_of_a_page_has_no_token_and_keeps_texts_and_attributes(site: Site) -> None:
    visitor = by_button(site, "student")
    source = without_random_values(visitor.response.text)
    assert len(tokens(visitor)) > 0
    for token in tokens(visitor):
        assert token in visitor.response.text
        assert token not in source
    assert "Ada" in source
    assert 'action="/logout"' in source
    assert without_random_values('<p nonce="Ada" title="Eve">') == without_random_values(
        '<p title="Eve">'
    )
    assert "Eve" in without_random_values('<p title="Eve">')


def test_no_test_searches_a_short_word_in_a_page_with_random_values() -> None:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            assert not AT_RISK.search(line), f"{path.relative_to(ROOT)}, line {number}"
