"""The security headers of every response."""

from __future__ import annotations

from functools import partial

from flask import Flask, Response, request

from clever_login.config import Settings

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


def init_app(app: Flask, settings: Settings) -> None:
    """Add the headers to every response."""
    app.after_request(partial(_add_headers, settings))


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
