"""/language/<name>: the links that choose a language, with or without a login."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import abort, current_app, redirect, request
from flask.typing import ResponseReturnValue

from clever_login.i18n import languages
from clever_login.services import services
from clever_login.web.routing import Routes, home_url, public, request_origin, safe_next

routes = Routes()


@routes.get("/language/<name>", "language")
@public
def choose(name: str) -> ResponseReturnValue:
    """Store the choice, and redirect to the page with the link."""
    chosen = languages.available_languages().get(name) or abort(404)
    response = redirect(_referring_path() or home_url(), 303)
    languages.set_language_cookie(response, chosen)
    return response


def _referring_path() -> str | None:
    """Return the path of this app's page with the link, from the Referer header, or None.

    The path is not a parameter of the link, because some URLs of this app contain a code or a
    token. A URL that only accepts forms is not a page to return to.
    """
    came_from = (request.referrer or "").removeprefix(request_origin(services().settings.app_url))
    path, routes = safe_next(came_from), current_app.create_url_adapter(request)
    if path is None or routes is None:
        return None
    page = urlsplit(path)
    methods = {*routes.allowed_methods(page.path)}  # empty if there is no such page
    values = parse_qsl(page.query, keep_blank_values=True)
    query = urlencode([pair for pair in values if pair[0] != "language"])
    return page._replace(query=query).geturl() if "GET" in methods or not methods else None
