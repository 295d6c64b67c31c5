"""/readyz: whether the stores can be written to, asked as often as a platform likes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import session_file
from tests.conftest import SiteMaker
from tests.school import school, statements
from tests.sites import Site
from tests.visitor import ask

__all__ = ["school"]
ASKED = 40


def test_many_who_ask_at_once_share_a_few_checks(school: Site) -> None:
    assert ask(f"{school.url}/readyz").text == "ready\n"
    with statements(school) as said, ThreadPoolExecutor(ASKED) as threads:
        answers = list(threads.map(lambda _: ask(f"{school.url}/readyz").text, range(ASKED)))
    assert set(answers) == {"ready\n"}
    checks = [each for each in said if each.startswith("INSERT INTO leases")]
    assert len(checks) <= ASKED / 4


def test_a_check_leaves_nothing_behind(school: Site) -> None:
    with statements(school) as said:
        assert ask(f"{school.url}/readyz").text == "ready\n"
    assert [each.partition(" leases")[0] for each in said][-2:] == ["INSERT INTO", "DELETE FROM"]
    assert session_file.values(school) == {}


def test_the_log_says_once_that_a_process_is_not_ready_and_once_that_it_is_again(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    site = make_site()
    store = session_file.folder_of(site)
    store.write_text("not a folder")
    for _ in range(3):
        answer = ask(f"{site.url}/readyz")
        assert answer.status_code == 503
        assert "the folder of sessions cannot be used" in answer.text
    store.unlink()
    for _ in range(3):
        assert ask(f"{site.url}/readyz").text == "ready\n"
    lines = [each for each in capfd.readouterr().err.splitlines() if each.startswith("{")]
    assert [json.loads(each)["event"] for each in lines] == ["not_ready", "ready_again"]
