"""How long a session may be idle after a page: as the setting says, or longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def idle_minutes(minutes: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let the session be idle for longer after this view: on a page that takes long to read.

    The next page has the normal limit again. The session's maximum age does not change. Place it
    below the route decorator: @bp.get, then @idle_minutes. Has an effect only with
    `parts.Sessions()`.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        view.idle_minutes = minutes  # type: ignore[attr-defined] # a mark on the function
        return view

    return decorate


def keep_idle_limit(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a view that an open page requests: the page's limit stays."""
    view.keeps_idle_limit = True  # type: ignore[attr-defined] # a mark on the function
    return view


def minutes_after(
    endpoint: str, view: Callable[..., Any] | None, current: int | None
) -> int | None:
    """Return the idle minutes after a request of this view, or None for the setting.

    `current` are those before the request. They stay for the static files of a blueprint, which
    pages load.
    """
    if endpoint.endswith(".static") or getattr(view, "keeps_idle_limit", False):
        return current
    minutes: int | None = getattr(view, "idle_minutes", None)
    return minutes
