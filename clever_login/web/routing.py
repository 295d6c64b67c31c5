"""Helpers for views: the `public` decorator, and the check of `next` URLs."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

P = ParamSpec("P")
R = TypeVar("R")
MAX_NEXT_LENGTH = 200  # characters; it is stored in a cookie


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Allow users who are not logged in to open a view."""
    view.public = True  # type: ignore[attr-defined] # a mark on the function, read by `permissions`
    return view


def safe_next(path: str | None) -> str | None:
    """Return the path if it is a path of this app that is safe to redirect to, else None.

    Only printable ASCII characters are allowed. Anything that browsers interpret as another host
    (`//`, backslashes, control characters) is rejected.
    """
    if not path or not path.startswith("/") or path.startswith("//") or len(path) > MAX_NEXT_LENGTH:
        return None
    if not path.isascii() or not path.isprintable() or "\\" in path or " " in path:
        return None
    if "%2f%2f" in path.lower() or "%5c" in path.lower() or urlsplit(path).netloc:
        return None
    return path
