"""Tests the metadata of the packages: their versions, ranges, and public names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import clever_login
from clever_login import rosters
from tests.support.running_app import ROOT

NAME = r"[A-Za-z0-9-]+"


def project(folder: Path) -> dict[str, Any]:
    """Return the [project] table of a folder's pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return table


def ranges(requirements: list[str]) -> dict[str, str]:
    """Return the range of each package, without its own extras."""
    matches = (
        re.fullmatch(rf"({NAME})(?:\[\w+\])?(.*)", requirement) for requirement in requirements
    )
    return {match[1]: match[2] for match in matches if match}


def ranges_of_the_starter() -> dict[str, str]:
    lines = (ROOT / "requirements.in").read_text().splitlines()
    return ranges([line.partition(" #")[0] for line in lines if not line.startswith("#")])


def test_the_package_requires_the_same_version_ranges_as_the_starter() -> None:
    library = project(ROOT)
    extras = library["optional-dependencies"].values()
    required = [
        *library["dependencies"],
        *(requirement for extra in extras for requirement in extra),
    ]
    assert ranges(required) == ranges_of_the_starter()


def test_the_simulator_requires_the_same_version_ranges_as_the_library() -> None:
    shared = ranges_of_the_starter()
    simulator = ranges(project(ROOT / "clever_simulator")["dependencies"])
    assert {name: shared.get(name, value) for name, value in simulator.items()} == simulator


def test_the_newest_release_in_the_changelog_is_the_version_of_both_packages() -> None:
    newest = re.search(r"^## (\S+) - 20", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest
    assert newest[1] == clever_login.__version__
    assert newest[1] == project(ROOT / "clever_simulator")["version"]


def test_the_first_table_of_the_library_page_is_the_list_of_public_names() -> None:
    page = (ROOT / "docs" / "library.md").read_text()
    table = page.partition("| name | what it is |\n")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines()[1:]]
    assert sorted(re.findall(r"`(\w+)", " ".join(cells))) == sorted(clever_login.__all__)


def test_each_public_name_of_rosters_is_documented() -> None:
    page = (ROOT / "docs" / "library.md").read_text()
    assert [name for name in rosters.__all__ if f"`{name}" not in page] == []
