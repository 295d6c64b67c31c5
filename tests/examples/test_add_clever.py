"""Tests what adding Clever changes in the example of an existing app: five lines and one link."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support import lending_desk
from tests.support.lending_desk import FOLDER, PATCH
from tests.support.running_app import ROOT

MIGRATION = "migrations/versions/0002_add_users_clever_id.py"
APP, TABLES, PAGE = "lending/__init__.py", "lending/models.py", "lending/templates/log_in.html"


@pytest.mark.parametrize("with_clever", [True, False])
def test_the_apps_own_tests_pass_with_clever_and_without_it(
    tmp_path: Path, with_clever: bool
) -> None:
    copy = lending_desk.copy_to(tmp_path / "copy", with_clever=with_clever)
    output = lending_desk.run_python(copy, "-m", "pytest", "-q", with_clever=with_clever)
    assert re.search(r"^13 passed", output, re.M), output


def test_without_the_patch_nothing_in_the_app_names_clever(tmp_path: Path) -> None:
    copy = lending_desk.copy_to(tmp_path / "copy", with_clever=False)
    about = {"README.md", "add_clever.patch"}
    files = [path for path in copy.rglob("*") if path.is_file() and path.name not in about]
    assert len(files) > 20
    assert [path.name for path in files if "clever" in path.read_text().lower()] == []


def test_pages_errors_forms_and_the_webhook_answer_as_without_clever(tmp_path: Path) -> None:
    answers = []
    script = (ROOT / "tests" / "support" / "lending_answers.py").read_text()
    for with_clever in (True, False):
        copy = lending_desk.copy_to(tmp_path / f"copy {with_clever}", with_clever=with_clever)
        output = lending_desk.run_python(copy, "-c", script, with_clever=with_clever)
        answers.append(json.loads(output))
    statuses = [status for _, _, status, *_ in answers[0]]
    assert statuses == [200, 302, 404, 405, 500, 400, 200, 302, 400, 200, 302, 200, 403, 200, 404]
    assert answers[0] == answers[1]


def added_lines() -> dict[str, list[str]]:
    """Return the lines that the patch adds, by file, without empty ones. It must remove none."""
    added: dict[str, list[str]] = {}
    for line in PATCH.read_text().splitlines():
        if line.startswith("+++ "):
            added[line.removeprefix("+++ b/")] = lines = []
        elif line.startswith("+") and line != "+":
            lines.append(line[1:])
        assert not line.startswith("-") or line.startswith("--- ")
    return added


def test_clever_is_five_lines_of_python_one_column_and_one_link() -> None:
    added = added_lines()
    assert added.keys() == {"development.env", APP, TABLES, PAGE, MIGRATION}
    assert len(added[APP]) == 5
    (column,) = added[TABLES]
    assert "clever_id: Mapped[str | None]" in column
    assert "unique=True" in column
    assert added[PAGE] == [
        """<a href="{{ url_for('clever_login.login') }}">Log in with Clever</a>"""
    ]


def test_the_readme_shows_the_lines_of_the_patch() -> None:
    (shown,) = re.findall(r"```diff\n(.*?)```", (FOLDER / "README.md").read_text(), re.S)
    lines = [line[1:] for line in shown.splitlines() if re.match(r"\+(?!\+\+)", line)]
    added = added_lines()
    assert lines == [line for name in (APP, TABLES, PAGE) for line in added[name]]
