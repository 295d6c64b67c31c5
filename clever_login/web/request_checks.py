"""Refuses or redirects a request before its view runs: host, HTTPS, frames, undecodable text."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, make_response, redirect, render_template, request
from werkzeug.middleware.proxy_fix import ProxyFix

from clever_login.config import Settings
from clever_login.errors import WrongHost
from clever_login.web import fetch_metadata
from clever_login.web.messages.error_messages import ADULT_MESSAGES
from clever_login.web.routing import (
    STATIC_ENDPOINTS,
    request_host,
    request_origin,
    set_further_hosts,
)
from clever_login.web.security_headers import frameable_policy

# A scheme and a host have no case (RFC 9110, 4.2.3), and some clients and proxies send capitals.
NAMES_WITHOUT_CASE = ("HTTP_HOST", "HTTP_X_FORWARDED_PROTO")


class _LowercaseNames:
    """Writes the host and the scheme of a request in lowercase, as APP_URL has them."""

    def __init__(self, wsgi_app: Any) -> None:
        self._wsgi_app = wsgi_app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        for name in NAMES_WITHOUT_CASE:
            if name in environ:
                environ[name] = environ[name].lower()
        return self._wsgi_app(environ, start_response)


def init_app(app: Flask, settings: Settings, more_hosts: Collection[str] = ()) -> None:
    """Check every request, and trust the configured number of proxies.

    `more_hosts` are accepted beside the host of APP_URL.
    """
    if settings.trusted_proxies:
        # Never x_host: a client could choose the host. The redirect URI comes from APP_URL.
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign] # Flask's own advice
    app.wsgi_app = _LowercaseNames(app.wsgi_app)  # type: ignore[method-assign] # Flask's own advice
    app.before_request(_refuse_undecodable_query)
    further_hosts = [host.lower() for host in more_hosts]
    set_further_hosts(app, settings.app_url, further_hosts)
    hosts = (urlsplit(settings.app_url).netloc, *further_hosts)
    app.before_request(partial(_check_host, settings, hosts))
    if settings.trusted_proxies and settings.https:
        app.before_request(partial(_redirect_to_https, settings))
    app.before_request(_answer_framed_request)


def _refuse_undecodable_query() -> None:
    """Refuse a query that is not UTF-8 before other code fails on it."""
    try:
        request.query_string.decode("utf-8")
    except UnicodeDecodeError:
        abort(400)


def _check_host(settings: Settings, hosts: tuple[str, ...]) -> Response | None:
    """Refuse a request that was sent to another host name, except a platform's probe.

    A name may end in a dot. A browser treats it as another site with cookies of its own, so it is
    redirected to the name without the dot.
    """
    if request.endpoint in STATIC_ENDPOINTS or request.path in fetch_metadata.PROBE_PATHS:
        return None
    if request_host() not in hosts:
        raise WrongHost(f"the request's host differs from APP_URL, which has {hosts[0]}")
    return None if request.host == request_host() else _redirect_to_origin(settings)


def _redirect_to_https(settings: Settings) -> Response | None:
    """Redirect to HTTPS if a trusted proxy says that the request used HTTP. Forms are refused."""
    if request.is_secure or request.path in fetch_metadata.PROBE_PATHS:
        return None
    return _redirect_to_origin(settings)


def _redirect_to_origin(settings: Settings) -> Response:
    """Redirect to the same page at the scheme and host of the app. Refuse a form, with 400."""
    if request.method not in {"GET", "HEAD"}:
        abort(400)
    origin = request_origin(settings.app_url)
    return redirect(origin + request.full_path.rstrip("?"), 308)  # type: ignore[return-value] # Werkzeug's Response, which Flask accepts


def _answer_framed_request() -> Response | None:
    """In a frame, return a page with a link that opens a tab: cookies work there, and it is safer.

    That page contains no data, and it is the only page that may be framed.
    """
    if not fetch_metadata.is_framed() or request.endpoint in STATIC_ENDPOINTS:
        return None
    response = make_response(
        render_template(
            "clever_login/open_in_tab.html", user=None, cause=ADULT_MESSAGES["in_a_frame"]
        )
    )
    response.headers["Content-Security-Policy"] = frameable_policy()
    return response
