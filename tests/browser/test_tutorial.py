"""Follows docs/tutorial.md from its first command to its last."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.chromium import run_chromium
from tests.support.running_app import ROOT

if not (ROOT / "reading").is_dir():
    pytest.skip("the example feature is deleted", allow_module_level=True)

from docs import write_tutorial
from tests.support import tutorial

PICTURES = 4


@pytest.mark.browser
def test_each_step_of_the_tutorial_runs_and_shows_what_it_says(tmp_path: Path) -> None:
    copy = tutorial.copy_project(tmp_path)
    with run_chromium() as browser:
        assert len(list(tutorial.walk_through(copy, browser))) == PICTURES
    one_test = "reading/tests/test_pages.py::test_a_students_books_are_available_as_json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", one_test]
    ended = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    finished = {
        path.relative_to(ROOT): path.read_bytes()
        for path in (ROOT / "reading").rglob("*.*")
        if path.suffix in (".py", ".html", ".svg", ".json")
    }
    assert {path: (copy / path).read_bytes() for path in finished} == finished


def test_the_tutorial_has_the_code_of_the_feature() -> None:
    assert write_tutorial.text() == write_tutorial.PAGE.read_text()


def test_the_tutorial_has_the_pictures_of_its_steps() -> None:
    for number in range(1, PICTURES + 1):
        assert f"(pictures/tutorial-{number}.png)" in write_tutorial.PAGE.read_text()
        assert (ROOT / "docs" / "pictures" / f"tutorial-{number}.png").is_file()
