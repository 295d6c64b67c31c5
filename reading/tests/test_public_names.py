"""Tests that the feature uses only public names of the library."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import clever_login

FOLDER = Path(__file__).parent.parent
PUBLIC_MODULES = {"clever_login", *(f"clever_login.{name}" for name in clever_login.__all__)}


def test_the_feature_imports_only_public_names_of_the_library() -> None:
    modules = [path for path in FOLDER.rglob("*.py") if path.parent.name != "tests"]
    assert len(modules) > 5
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not any(name.name.startswith("clever_login") for name in node.names), path
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("clever_login"):
                assert node.module in PUBLIC_MODULES, f"{path.name}: {node.module}"
                names = {name.name for name in node.names}
                assert names <= set(import_module(node.module).__all__), f"{path.name}: {names}"
