"""What every answer carries, which hosts are ours, and how far a proxy is believed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, make_response, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from clever_login import arrival
from clever_login.error_causes import CAUSES
from clever_login.errors import WrongHost
from clever_login.server.contract import BODY_BYTES, BODY_LIMIT
from clever_login.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
FRAMEABLE = CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")
ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
    "Referrer-Policy": "same-origin",  # no-referrer would turn our own forms' Origin into "null"
}


def body_limit(size: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Accept a body of so many bytes in this view; in the others the limit is BODY_BYTES.

    The server asks for it before it reads a larger body, so that no thread and little memory is
    used for a body that would be refused. It stands below the route: @bp.post, then @body_limit.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        view.body_limit = size  # type: ignore[attr-defined] # a mark on the function, read below
        return view

    return decorate


def init_app(app: Flask, settings: Settings) -> None:
    """Set the headers, check the host, and trust as many proxies as the settings say."""
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES
    app.extensions[BODY_LIMIT] = partial(_body_limit, app)
    app.before_request(partial(_limit_body, app))
    if settings.trusted_proxies:
        # Never x_host: a client could choose the host. The redirect URI comes from APP_URL.
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign] # Flask's own advice
    app.before_request(_readable_query)
    app.before_request(partial(_known_host, settings))
    if settings.trusted_proxies and settings.https:
        app.before_request(partial(_by_https, settings))
    app.before_request(_never_in_a_frame)
    app.after_request(partial(_add, settings))


def _body_limit(app: Flask, method: str, path: str) -> int:
    """How many bytes the view accepts to which this path leads (decoded as in WSGI)."""
    default = app.config["MAX_CONTENT_LENGTH"] or BODY_BYTES
    try:
        text = path.encode("latin-1").decode("utf-8", "replace")
        endpoint, _ = app.url_map.bind("").match(text, method)
    except HTTPException:
        return int(default)
    return int(getattr(app.view_functions[endpoint], "body_limit", default))


def _limit_body(app: Flask) -> None:
    """Tell Flask the view's limit before anything reads the form."""
    view = app.view_functions.get(request.endpoint or "")
    if (size := getattr(view, "body_limit", None)) is not None:
        request.max_content_length = size


def _readable_query() -> None:
    """Refuse a query that is not UTF-8, before anything stumbles over it."""
    try:
        request.query_string.decode("utf-8")
    except UnicodeDecodeError:
        abort(400)


def _by_https(settings: Settings) -> Response | None:
    """Lead a browser that a trusted proxy says came by http to https; forms are refused."""
    if request.is_secure or request.path in arrival.PROBES:
        return None
    if request.method not in {"GET", "HEAD"}:
        abort(400)
    return redirect(settings.app_url + request.full_path.rstrip("?"), 308)  # type: ignore[return-value] # Werkzeug's, as Flask takes


def _known_host(settings: Settings) -> None:
    """Refuse a request that was sent to another name, except a platform's probe."""
    if request.endpoint == "static" or request.path in arrival.PROBES:
        return
    expected = urlsplit(settings.app_url).netloc
    if request.host != expected:
        raise WrongHost(f"APP_URL says {expected}")


def _never_in_a_frame() -> Response | None:
    """In a frame there is only a link that opens a tab: cookies and children are safer there.

    That page holds nothing, and it alone may be framed.
    """
    if not arrival.framed() or request.endpoint == "static" or request.path in arrival.PROBES:
        return None
    response = make_response(
        render_template("open_in_tab.html", user=None, cause=CAUSES["in_a_frame"])
    )
    response.headers["Content-Security-Policy"] = FRAMEABLE
    return response


def always(settings: Settings) -> dict[str, str]:
    """What every answer carries, a file's as well as a page's."""
    if not settings.https:
        return ALWAYS
    names = "; includeSubDomains" if settings.hsts_subdomains else ""
    return ALWAYS | {"Strict-Transport-Security": f"max-age=31536000{names}"}


def _add(settings: Settings, response: Response) -> Response:
    for name, value in always(settings).items():
        response.headers.setdefault(name, value)
    if request.endpoint == "callback.callback":
        response.headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
        response.vary.add("Cookie")
    return response
