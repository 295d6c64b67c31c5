"""Refuses or redirects a request before its view runs: host, HTTPS, frames, undecodable text."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from urllib.parse import urlsplit

from flask import Flask, Response, abort, make_response, redirect, render_template, request
from werkzeug.middleware.proxy_fix import ProxyFix

from clever_login.config import Settings
from clever_login.errors import WrongHost
from clever_login.web import fetch_metadata
from clever_login.web.error_messages import ADULT_MESSAGES
from clever_login.web.routing import STATIC_ENDPOINTS, request_origin, set_further_hosts
from clever_login.web.security_headers import frameable_policy


def init_app(app: Flask, settings: Settings, more_hosts: Collection[str] = ()) -> None:
    """Check every request, and trust the configured number of proxies.

    `more_hosts` are accepted beside the host of APP_URL.
    """
    if settings.trusted_proxies:
        # Never x_host: a client could choose the host. The redirect URI comes from APP_URL.
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign] # Flask's own advice
    app.before_request(_refuse_undecodable_query)
    set_further_hosts(app, settings.app_url, more_hosts)
    hosts = (urlsplit(settings.app_url).netloc, *more_hosts)
    app.before_request(partial(_check_host, hosts))
    if settings.trusted_proxies and settings.https:
        app.before_request(partial(_redirect_to_https, settings))
    app.before_request(_answer_framed_request)


def _refuse_undecodable_query() -> None:
    """Refuse a query that is not UTF-8 before other code fails on it."""
    try:
        request.query_string.decode("utf-8")
    except UnicodeDecodeError:
        abort(400)


def _redirect_to_https(settings: Settings) -> Response | None:
    """Redirect to HTTPS if a trusted proxy says that the request used HTTP. Forms are refused."""
    if request.is_secure or request.path in fetch_metadata.PROBE_PATHS:
        return None
    if request.method not in {"GET", "HEAD"}:
        abort(400)
    origin = request_origin(settings.app_url)
    return redirect(origin + request.full_path.rstrip("?"), 308)  # type: ignore[return-value] # Werkzeug's Response, which Flask accepts


def _check_host(hosts: tuple[str, ...]) -> None:
    """Refuse a request that was sent to another host name, except a platform's probe."""
    if request.endpoint in STATIC_ENDPOINTS or request.path in fetch_metadata.PROBE_PATHS:
        return
    if request.host not in hosts:
        raise WrongHost(f"the request's host differs from APP_URL, which has {hosts[0]}")


def _answer_framed_request() -> Response | None:
    """In a frame, return a page with a link that opens a tab: cookies work there, and it is safer.

    That page contains no data, and it is the only page that may be framed.
    """
    if (
        not fetch_metadata.is_framed()
        or request.endpoint in STATIC_ENDPOINTS
        or request.path in fetch_metadata.PROBE_PATHS
    ):
        return None
    response = make_response(
        render_template(
            "clever_login/open_in_tab.html", user=None, cause=ADULT_MESSAGES["in_a_frame"]
        )
    )
    response.headers["Content-Security-Policy"] = frameable_policy()
    return response
