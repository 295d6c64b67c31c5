"""What the doctor reads in the source of app.py: it does not start the app, and loads no Flask."""

from __future__ import annotations

import ast
from pathlib import Path

from clever_login.db.database_store import PARTS_WITH_TABLES

DEFAULT_URL_PREFIX = "/clever"  # of CleverLogin


def find_database_part(folder: Path) -> bool | None:
    """Return whether app.py uses a part with tables, or None if its source does not show parts."""
    try:
        tree = ast.parse((folder / "app.py").read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    names = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "parts"
    }
    return bool(names & PARTS_WITH_TABLES) if names else None


def find_url_prefix(folder: Path) -> str | None:
    """Return the `url_prefix` that app.py passes to CleverLogin, or its default.

    Returns None if the source does not show it: no app.py, no call of CleverLogin in it, calls with
    different prefixes, or a prefix that the app computes.
    """
    try:
        tree = ast.parse((folder / "app.py").read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    prefixes = {_prefix_of(call) for call in calls if _is_login(call.func)}
    return prefixes.pop() if len(prefixes) == 1 else None


def _is_login(function: ast.expr) -> bool:
    """Whether the function is CleverLogin, or clever_login.CleverLogin."""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name == "CleverLogin"


def _prefix_of(call: ast.Call) -> str | None:
    arguments = {keyword.arg: keyword.value for keyword in call.keywords}
    if None in arguments:  # **arguments
        return None
    value = arguments.get("url_prefix", ast.Constant(DEFAULT_URL_PREFIX))
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    return None
