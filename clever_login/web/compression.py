"""Compresses pages with gzip for slow networks.

Compressing a page that contains a secret would reveal the secret to an attacker whose input is
repeated in the page (BREACH). A page may repeat parts of its URL, so a page with a query is
compressed only if no other site led to it.
"""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

from clever_login.config import Settings

MIN_BODY_BYTES = 500  # bytes; compressing a smaller page does not save a packet
GZIP_LEVEL = 6  # the middle of gzip's range: higher levels take longer and save few bytes


def init_app(app: Flask, settings: Settings) -> None:  # noqa: ARG001 # every init_app takes both
    """Compress every page for browsers that accept gzip."""
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    if response.mimetype != "text/html":
        return response
    response.vary.add("Accept-Encoding")
    stays_uncompressed = "Content-Encoding" in response.headers or _query_set_by_another_site()
    if stays_uncompressed or response.is_streamed or not request.accept_encodings["gzip"]:
        return response
    body = response.get_data()
    if len(body) >= MIN_BODY_BYTES:
        response.set_data(gzip.compress(body, GZIP_LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _query_set_by_another_site() -> bool:
    """Whether another site may have chosen the query. Old browsers do not say."""
    site = request.headers.get("Sec-Fetch-Site")
    return bool(request.query_string) and site not in {"same-origin", "none"}
