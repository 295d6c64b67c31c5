"""Helpers for views: routes, `public`, the URLs to redirect to, and the hosts of the app."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Flask, current_app, request, url_for

P = ParamSpec("P")
R = TypeVar("R")
NAMESPACE = "clever_login"  # of the library's endpoints
STATIC_ENDPOINTS = ("static", f"{NAMESPACE}.static")  # of the app and of the library
MAX_NEXT_LENGTH = 200  # characters; it is stored in a cookie
_KEY, _ORIGINS_KEY = "clever_login_destinations", "clever_login_further_origins"


class Routes:
    """The views of one module. CleverLogin adds them to its blueprint."""

    def __init__(self) -> None:
        self._views: list[tuple[str, str, str, Callable[..., Any]]] = []

    def get(self, path: str, name: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Mark a view for GET requests. Its endpoint has this name, by default the function's."""
        return self._add("GET", path, name)

    def post(self, path: str, name: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Mark a view for POST requests."""
        return self._add("POST", path, name)

    def _add(self, method: str, path: str, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
        def decorate(view: Callable[P, R]) -> Callable[P, R]:
            self._views.append((method, path, name or view.__name__, view))
            return view

        return decorate

    def add_to(self, target: Blueprint | Flask) -> None:
        """Register the views. On an app, which has no URL prefix, endpoints get the namespace."""
        namespace = f"{NAMESPACE}." if isinstance(target, Flask) else ""
        for method, path, name, view in self._views:
            target.add_url_rule(path, f"{namespace}{name}", view, methods=[method])


@dataclass(frozen=True)
class Destinations:
    """Where the library redirects to: each is a path or the name of an endpoint."""

    home: str  # for users who are not logged in
    after_login: str

    def install(self, app: Flask) -> None:
        """Make `home_url` and `after_login_url` return these."""
        app.extensions[_KEY] = self


def home_url(**values: str | None) -> str:
    """Return the URL of the app's first page, with these query parameters."""
    return _resolve(_destinations().home, values)


def after_login_url() -> str:
    """Return the URL to which users go after a login that has no `next`."""
    return _resolve(_destinations().after_login, {})


def _destinations() -> Destinations:
    return cast(Destinations, current_app.extensions[_KEY])


def _resolve(target: str, values: dict[str, str | None]) -> str:
    if not target.startswith("/"):
        return url_for(target, **cast(dict[str, Any], values))
    query = urlencode({k: v for k, v in values.items() if v is not None}, safe="/")
    return f"{target}?{query}" if query else target


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Allow users who are not logged in to open a view."""
    view.public = True  # type: ignore[attr-defined] # a mark on the function, read by `permissions`
    return view


def impersonation_allowed(view: Callable[P, R]) -> Callable[P, R]:
    """Allow a view that is not a GET in a session whose link claimed an impersonation.

    Place it below the route decorator. Only for views that change nothing for the user.
    """
    view.impersonation_allowed = True  # type: ignore[attr-defined] # a mark on the function
    return view


def set_further_hosts(app: Flask, app_url: str, hosts: Collection[str]) -> None:
    """Set the app's host names beside that of APP_URL. They have the scheme of APP_URL."""
    app.extensions[_ORIGINS_KEY] = {_origin(app_url, host) for host in hosts}


def request_host() -> str:
    """Return the host of this request without the dot that a full name may end in (RFC 3986)."""
    name, colon, port = request.host.partition(":")
    return name.removesuffix(".") + colon + port


def request_origin(app_url: str) -> str:
    """Return the origin of this request's host if it is one of the further hosts, else APP_URL."""
    origin = _origin(app_url, request_host())
    return origin if origin in current_app.extensions.get(_ORIGINS_KEY, ()) else app_url


def _origin(app_url: str, host: str) -> str:
    return f"{urlsplit(app_url).scheme}://{host}"


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
