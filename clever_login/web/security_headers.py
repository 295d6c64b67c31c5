"""The security headers of every response, with a Content-Security-Policy that an app can extend."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import cast

from flask import Flask, Response, current_app, g, request

from clever_login.config import Settings
from clever_login.web.routing import STATIC_ENDPOINTS

CSP_DIRECTIVES: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "connect-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
    # No-referrer would turn the Origin of this app's forms into "null"
    "Referrer-Policy": "same-origin",
}
_KEY, _HEADERS_KEY = "clever_login_csp", "clever_login_security_headers"


def init_app(app: Flask, settings: Settings, csp: Mapping[str, str]) -> None:
    """Add the headers to every response, with the directives in `csp` added or replaced."""
    app.extensions[_KEY] = {**CSP_DIRECTIVES, **csp}
    app.extensions[_HEADERS_KEY] = _headers(_format(app.extensions[_KEY]), settings)
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    app.after_request(_add_headers)


def csp_nonce() -> str:
    """Return this response's nonce: a <script> or <style> element with it may run.

    The header allows the nonce only in responses for which this function was called.
    """
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return cast(str, g.csp_nonce)


def frameable_policy() -> str:
    """Return the policy of the only page that other sites may put in a frame."""
    return _policy({"frame-ancestors": "*"})


def common_headers(app: Flask) -> dict[str, str]:
    """Return the headers of every response, including those of static files."""
    return cast(dict[str, str], app.extensions[_HEADERS_KEY])


def _headers(policy: str, settings: Settings) -> dict[str, str]:
    headers = {"Content-Security-Policy": policy, **COMMON_HEADERS}
    if settings.https:
        names = "; includeSubDomains" if settings.hsts_subdomains else ""
        headers["Strict-Transport-Security"] = f"max-age=31536000{names}"
    return headers


def _policy(changes: Mapping[str, str]) -> str:
    return _format({**current_app.extensions[_KEY], **changes})


def _format(directives: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {sources}".strip() for name, sources in directives.items())


def _policy_with_nonce(nonce: str) -> str:
    directives = current_app.extensions[_KEY]
    names = ("script-src", "style-src")
    return _policy({name: f"{directives[name]} 'nonce-{nonce}'" for name in names})


def _add_headers(response: Response) -> Response:
    if "csp_nonce" in g:
        response.headers.setdefault("Content-Security-Policy", _policy_with_nonce(g.csp_nonce))
    present = {name.lower() for name, _ in response.headers}
    for name, value in common_headers(current_app).items():
        if name.lower() not in present:  # an eighth of the time of `setdefault`
            response.headers.add(name, value)
    return response if request.endpoint in STATIC_ENDPOINTS else protect_login(response)


def protect_login(response: Response) -> Response:
    """Keep a response out of caches, and a callback's code out of the Referer header."""
    if request.endpoint == "clever_login.callback":
        response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Cookie")
    return response
