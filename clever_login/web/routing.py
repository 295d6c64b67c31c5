"""What views share: the mark that opens one to everybody, and which `next` may follow a login."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

P = ParamSpec("P")
R = TypeVar("R")
MAX_NEXT_LENGTH = 200  # characters; it travels in a cookie


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Open a view to people who are not logged in."""
    view.public = True  # type: ignore[attr-defined] # a mark on the function, read below
    return view


def safe_next(path: str | None) -> str | None:
    """A path of this app that may follow a login, else None: no other site, no tricks.

    Only plain characters of a path and query pass; what browsers read as another host (`//`,
    backslashes, control characters) never does.
    """
    if not path or not path.startswith("/") or path.startswith("//") or len(path) > MAX_NEXT_LENGTH:
        return None
    if not path.isascii() or not path.isprintable() or "\\" in path or " " in path:
        return None
    if "%2f%2f" in path.lower() or "%5c" in path.lower() or urlsplit(path).netloc:
        return None
    return path
