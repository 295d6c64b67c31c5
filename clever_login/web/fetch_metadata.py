"""Classifies a request: a user's navigation, a frame, a script, a health probe, or a prefetch.

Browsers describe a request in its Sec-Fetch headers, which no page can forge.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from flask import request

from clever_login.errors import BadCallback
from clever_login.web.routing import request_origin

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}  # which change nothing
PROBE_PATHS = ("/healthz", "/readyz")  # platforms request these under a different host name
PAGE_HEADERS = ("Accept", "Sec-Fetch-Dest")  # on which `wants_page` depends, for Vary
SINGLE_USE_PARAMETERS = (
    "code",
    "state",
    "error",
    "iss",
)  # parameters that a callback has at most once
MAX_PARAMETER_LENGTH = 2000  # characters of a code or state; Clever's have a few dozen
MAX_CODES = 3  # per request; Clever sends one


def is_head_or_prefetch() -> bool:
    """Whether this is a HEAD or a prefetch, which must not use a code.

    Flask also runs a GET view for HEAD.
    """
    purpose = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    return request.method != "GET" or "prefetch" in purpose


def check_parameters() -> None:
    """Raise BadCallback for a parameter that is repeated (RFC 6749, section 3.1) or too long."""
    for name in SINGLE_USE_PARAMETERS:
        values = request.args.getlist(name)
        if len(values) > 1 or any(len(value) > MAX_PARAMETER_LENGTH for value in values):
            raise BadCallback(f"{name} is repeated or too long")


def final_codes() -> list[str]:
    """Return the authorization codes of this request, MAX_CODES at most, also if it was refused.

    A HEAD or prefetch with a state returns none: a later request may use its code. Without a state,
    no later request uses the code either.
    """
    query = request.query_string.decode("utf-8", "replace")  # it may be invalid UTF-8
    parameters = parse_qsl(query)
    if is_head_or_prefetch() and any(name == "state" for name, _ in parameters):
        return []
    return [value for name, value in parameters if name == "code"][:MAX_CODES]


def impersonation_claimed() -> bool:
    """Whether the URL says that an administrator acts as this user ("Log in as").

    Anyone can add or remove this parameter, so no permission may depend on it.
    """
    return request.args.get("loginas_by_admin") == "true"


def is_framed() -> bool:
    """Whether the response is for a frame inside another page."""
    return request.headers.get("Sec-Fetch-Dest") in {"iframe", "frame", "embed", "object"}


def is_from_another_site() -> bool:
    """Whether another site led here, rather than a bookmark or a typed URL."""
    return request.headers.get("Sec-Fetch-Site", "cross-site") != "none"


def is_cross_site_subresource() -> bool:
    """Whether a page of another site requests this as a part of itself, such as an image.

    Another subdomain of the same site counts as another site: its requests carry this app's cookie.
    """
    from_another_site = request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}
    return from_another_site and request.headers.get("Sec-Fetch-Mode") != "navigate"


def is_from_another_origin(app_url: str) -> bool:
    """Whether a page of another origin sent this form. Clients without a browser send no header."""
    app_origin = request_origin(app_url)
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin", app_origin)
    return site not in {"same-origin", "none"} or origin != app_origin


def wants_page() -> bool:
    """Whether the response should be a page, and not JSON or a file for a script.

    Every browser names text/html in the Accept header of a navigation. Scripts and probes accept
    anything unless they say otherwise.
    """
    accepted = request.accept_mimetypes
    names_html = any(
        name.partition(";")[0].strip().lower() == "text/html" and quality > 0
        for name, quality in accepted
    )
    return names_html or request.headers.get("Sec-Fetch-Dest") in {"document", "iframe"}


def is_top_level_navigation() -> bool:
    """Whether a user's browser navigated here. Older browsers send no Sec-Fetch headers."""
    mode, dest = (request.headers.get(f"Sec-Fetch-{name}") for name in ("Mode", "Dest"))
    if mode or dest:
        return mode == "navigate" and dest == "document"
    return "text/html" in request.headers.get("Accept", "")
