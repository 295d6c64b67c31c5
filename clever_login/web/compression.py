"""Pages are packed for slow networks.

Packing beside a secret would tell it to whoever can have their own words repeated in the page
(BREACH). Words of an address may be repeated, so that one with a query is packed only where no
other site has led to it.
"""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

from clever_login.config import Settings

MIN_BODY_BYTES = 500  # bytes; below, packing saves no packet
GZIP_LEVEL = 6  # gzip's middle: a higher one takes longer and saves a few bytes


def init_app(app: Flask, settings: Settings) -> None:  # noqa: ARG001 # every room takes both
    """Pack every page for whoever can unpack it."""
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    if response.mimetype != "text/html":
        return response
    response.vary.add("Accept-Encoding")
    left = "Content-Encoding" in response.headers or _query_set_by_another_site()
    if left or response.is_streamed or not request.accept_encodings["gzip"]:
        return response
    body = response.get_data()
    if len(body) >= MIN_BODY_BYTES:
        response.set_data(gzip.compress(body, GZIP_LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _query_set_by_another_site() -> bool:
    """Whether the words of the address may be another site's; old browsers do not say."""
    site = request.headers.get("Sec-Fetch-Site")
    return bool(request.query_string) and site not in {"same-origin", "none"}
