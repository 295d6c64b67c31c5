"""Pages are packed for slow networks.

Packing beside a secret would tell it to whoever can have their own words repeated in the page
(BREACH). Our pages repeat nothing that is sent; what another site asks for comes without a cookie.
"""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

from clever_login.settings import Settings

SMALLEST = 500  # bytes; below, packing saves no packet
LEVEL = 6  # gzip's middle: a higher one takes longer and saves a few bytes


def init_app(app: Flask, settings: Settings) -> None:  # noqa: ARG001 # every room takes both
    """Pack every page for whoever can unpack it."""
    app.after_request(_pack)


def _pack(response: Response) -> Response:
    if response.mimetype != "text/html":
        return response
    response.vary.add("Accept-Encoding")
    packed = "Content-Encoding" in response.headers
    if packed or response.is_streamed or not request.accept_encodings["gzip"]:
        return response
    body = response.get_data()
    if len(body) >= SMALLEST:
        response.set_data(gzip.compress(body, LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
