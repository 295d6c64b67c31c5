"""Security headers, the host check, body limits, and trusted proxies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, make_response, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from clever_login.config import Settings
from clever_login.errors import WrongHost
from clever_login.server.contract import BODY_LIMIT_KEY, MAX_BODY_BYTES
from clever_login.web import fetch_metadata
from clever_login.web.error_messages import ADULT_MESSAGES

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
FRAMEABLE_POLICY = CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")
COMMON_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
    # No-referrer would turn the Origin of this app's forms into "null"
    "Referrer-Policy": "same-origin",
}


def body_limit(size: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Accept bodies of up to `size` bytes in this view. The default limit is MAX_BODY_BYTES.

    The server looks up the limit before it reads a larger body, so a body that would be refused
    uses no thread and little memory. Place it below the route decorator: @bp.post, then
    @body_limit.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        view.body_limit = size  # type: ignore[attr-defined] # a mark on the function, read below
        return view

    return decorate


def init_app(app: Flask, settings: Settings) -> None:
    """Set the headers, check the host, and trust the configured number of proxies."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions[BODY_LIMIT_KEY] = partial(_body_limit, app)
    app.before_request(partial(_limit_body, app))
    if settings.trusted_proxies:
        # Never x_host: a client could choose the host. The redirect URI comes from APP_URL.
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign] # Flask's own advice
    app.before_request(_refuse_undecodable_query)
    app.before_request(partial(_check_host, settings))
    if settings.trusted_proxies and settings.https:
        app.before_request(partial(_redirect_to_https, settings))
    app.before_request(_answer_framed_request)
    app.after_request(partial(_add_headers, settings))


def _body_limit(app: Flask, method: str, path: str) -> int:
    """Return the body limit of the view for this path, which is decoded as in WSGI."""
    default = app.config["MAX_CONTENT_LENGTH"] or MAX_BODY_BYTES
    try:
        text = path.encode("latin-1").decode("utf-8", "replace")
        endpoint, _ = app.url_map.bind("").match(text, method)
    except HTTPException:
        return int(default)
    return int(getattr(app.view_functions[endpoint], "body_limit", default))


def _limit_body(app: Flask) -> None:
    """Set Flask's limit to the view's before anything reads the form."""
    view = app.view_functions.get(request.endpoint or "")
    if (size := getattr(view, "body_limit", None)) is not None:
        request.max_content_length = size


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
    return redirect(settings.app_url + request.full_path.rstrip("?"), 308)  # type: ignore[return-value] # Werkzeug's Response, which Flask accepts


def _check_host(settings: Settings) -> None:
    """Refuse a request that was sent to another host name, except a platform's probe."""
    if request.endpoint == "static" or request.path in fetch_metadata.PROBE_PATHS:
        return
    expected = urlsplit(settings.app_url).netloc
    if request.host != expected:
        raise WrongHost(f"the request's host differs from APP_URL, which has {expected}")


def _answer_framed_request() -> Response | None:
    """In a frame, return a page with a link that opens a tab: cookies work there, and it is safer.

    That page contains no data, and it is the only page that may be framed.
    """
    if (
        not fetch_metadata.is_framed()
        or request.endpoint == "static"
        or request.path in fetch_metadata.PROBE_PATHS
    ):
        return None
    response = make_response(
        render_template("open_in_tab.html", user=None, cause=ADULT_MESSAGES["in_a_frame"])
    )
    response.headers["Content-Security-Policy"] = FRAMEABLE_POLICY
    return response


def common_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of every response, including those of static files."""
    if not settings.https:
        return COMMON_HEADERS
    names = "; includeSubDomains" if settings.hsts_subdomains else ""
    return COMMON_HEADERS | {"Strict-Transport-Security": f"max-age=31536000{names}"}


def _add_headers(settings: Settings, response: Response) -> Response:
    for name, value in common_headers(settings).items():
        response.headers.setdefault(name, value)
    if request.endpoint == "callback.callback":
        response.headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
        response.vary.add("Cookie")
    return response
