"""Tests that docs/recipes.md has the code of examples/recipes/, and no other code."""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module

import clever_login
from docs import write_recipes


def modules() -> dict[str, str]:
    """Return the code of each recipe by the name of its module."""
    files = write_recipes.MODULES.glob("*.py")
    return {path.stem: path.read_text() for path in files if path.stem != "__init__"}


def test_the_recipes_page_is_current() -> None:
    assert write_recipes.text() == write_recipes.PAGE.read_text()


def test_each_recipe_is_on_the_page_once_and_nothing_else_is_code() -> None:
    blocks = re.findall(r"```python\n(.*?)```", write_recipes.PAGE.read_text(), re.S)
    assert sorted(blocks) == sorted(modules().values())


def test_the_name_of_a_recipe_in_features_is_enough_to_add_it() -> None:
    features = {name for name, code in modules().items() if "def init_app(" in code}
    assert len(features) > 5
    for name in features:
        needed = inspect.signature(import_module(f"recipes.{name}").init_app).parameters.values()
        required = [each.name for each in needed if each.default is each.empty]
        assert required == ["app"], name  # app.py passes nothing else


def test_recipes_use_only_public_names() -> None:
    for name, code in modules().items():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                assert not [
                    imported for imported in node.names if "clever_login" in imported.name
                ], name
            if isinstance(node, ast.ImportFrom) and "clever_login" in str(node.module):
                assert node.module == "clever_login", name
                assert {imported.name for imported in node.names} <= {*clever_login.__all__}, name
