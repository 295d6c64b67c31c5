"""What has arrived: a person's browser, a frame, a probe, or something that only looks.

Browsers say so themselves in Sec-Fetch headers, which no page can forge.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from flask import request

from clever_login.errors import BadCallback

PROBE_PATHS = ("/healthz", "/readyz")  # platforms ask for these, by an address of their own
SINGLE_USE_PARAMETERS = (
    "code",
    "state",
    "error",
    "iss",
)  # parameters that a callback has at most once
MAX_PARAMETER_LENGTH = 2000  # characters of a code or state; Clever's are a few dozen
MAX_CODES = 3  # of one request: Clever sends one


def is_head_or_prefetch() -> bool:
    """Whether this is a HEAD or a prefetch, which must not use up a code.

    Flask runs a GET view for HEAD, too.
    """
    purpose = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    return request.method != "GET" or "prefetch" in purpose


def check_parameters() -> None:
    """Raise BadCallback for a parameter that is repeated (RFC 6749, section 3.1) or endless."""
    for name in SINGLE_USE_PARAMETERS:
        values = request.args.getlist(name)
        if len(values) > 1 or any(len(value) > MAX_PARAMETER_LENGTH for value in values):
            raise BadCallback(f"{name} is repeated or too long")


def final_codes() -> list[str]:
    """The authorization codes of this request, unless it only looks ahead of one that uses them.

    Without a state no later request uses them either. Three at most, also of a refused request.
    """
    query = request.query_string.decode("utf-8", "replace")  # it may be no UTF-8
    found = parse_qsl(query)
    if is_head_or_prefetch() and any(name == "state" for name, _ in found):
        return []
    values = [
        value for name, value in found if name == "code" and len(value) <= MAX_PARAMETER_LENGTH
    ]
    return values[:MAX_CODES]


def impersonation_claimed() -> bool:
    """Whether the address says that an administrator acts as this person ("Log in as").

    Anybody can write such an address, and leave the mark out: nothing may depend on it.
    """
    return request.args.get("loginas_by_admin") == "true"


def is_framed() -> bool:
    """Whether the answer is for a frame inside another page."""
    return request.headers.get("Sec-Fetch-Dest") in {"iframe", "frame", "embed", "object"}


def is_from_another_site() -> bool:
    """Whether another site led here, and not a bookmark or a typed address."""
    return request.headers.get("Sec-Fetch-Site", "cross-site") != "none"


def is_cross_site_subresource() -> bool:
    """Whether a page of another site asks for this as a part of itself, such as an image.

    A name beside ours counts as another site: its requests carry our cookie.
    """
    elsewhere = request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}
    return elsewhere and request.headers.get("Sec-Fetch-Mode") != "navigate"


def is_top_level_navigation() -> bool:
    """Whether a person's browser came here itself; older ones send no Sec-Fetch headers."""
    mode, dest = (request.headers.get(f"Sec-Fetch-{name}") for name in ("Mode", "Dest"))
    if mode or dest:
        return mode == "navigate" and dest == "document"
    return "text/html" in request.headers.get("Accept", "")
