"""Tests that the limits in docs/reliability.md are those of the code, and have tests."""

from __future__ import annotations

import ast
import re
import runpy
from importlib import import_module

import pytest

from tests.project.test_architecture import names_of_tests
from tests.support.running_app import ROOT

TEXT = (ROOT / "docs" / "reliability.md").read_text()
ROWS = {
    cells[0]: cells
    for line in TEXT.partition("## Limits")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| what ")
    for cells in [[cell.strip() for cell in line.strip("|").split(" | ")]]
}
PLACE = re.compile(r"`([\w./]+\.py): ([\w, ]+)`")


def test_every_limit_names_a_test_that_exists() -> None:
    assert len(ROWS) > 20
    for what, cells in ROWS.items():
        named = re.findall(r"\btest_\w+", cells[-1])
        assert named, what
        assert set(named) <= names_of_tests(), what


def test_every_limit_of_the_server_is_documented() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "clever_login" / "server").glob("*.py"))
    limits = set(re.findall(r"\bMAX_\w+(?=[\w, ]* = )", sources))
    assert len(limits) >= 5
    assert limits <= set(re.findall(r"\w+", TEXT))


@pytest.mark.parametrize("what", [what for what, cells in ROWS.items() if PLACE.match(cells[3])])
def test_each_limit_has_the_value_of_the_code(what: str) -> None:
    _, limit, answer, place, _ = ROWS[what]
    match = PLACE.fullmatch(place)
    assert match
    for name in match[2].split(", "):
        value = value_of(match[1], name)
        if isinstance(value, int | float):
            text = written(name, value)
            assert re.search(rf"(?<![\d.]){re.escape(text)}\b", f"{limit} {answer}"), text


def value_of(path: str, name: str) -> object:
    """Return a constant of a module or of gunicorn.conf.py. Fails if the file has no such name."""
    assert name in {
        node.id if isinstance(node, ast.Name) else getattr(node, "attr", getattr(node, "name", ""))
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
    }
    if path == "gunicorn.conf.py":
        return runpy.run_path(str(ROOT / path))[name]
    return getattr(import_module(path.removesuffix(".py").replace("/", ".")), name, None)


def written(name: str, value: float) -> str:
    """Return how the page writes a value."""
    for unit, size in (("MiB", 1024 * 1024), ("KiB", 1024)):
        if value % size == 0:
            return f"{value / size:g} {unit}"
    is_time = "SECONDS" in name or name in {"keepalive", "graceful_timeout"}
    return f"{value:g} s" if is_time else f"{value:g}"
