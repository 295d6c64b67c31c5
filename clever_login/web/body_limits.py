"""Limits the size of request bodies: 64 KiB, unless a view says more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from flask import Flask, request
from werkzeug.exceptions import HTTPException

from clever_login.server.contract import BODY_LIMIT_KEY, MAX_BODY_BYTES

P = ParamSpec("P")
R = TypeVar("R")


class _ChunkedBody:
    """The body of a request in chunks, whose reader raises OSError if the chunks are malformed.

    Werkzeug answers OSError with 400. gunicorn's own workers raise their own exceptions, which
    would be crashes. The worker class of this library reads chunks before the app runs.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._stream, name)

        def call(*arguments: Any) -> Any:
            try:
                return method(*arguments)
            except Exception as error:
                raise OSError("the body of the request is malformed") from error

        return call


def _with_readable_chunks(wsgi_app: Any) -> Any:
    def call(environ: dict[str, Any], start_response: Any) -> Any:
        if "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = _ChunkedBody(environ["wsgi.input"])
        return wsgi_app(environ, start_response)

    return call


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


def init_app(app: Flask, largest: int | None = None) -> None:
    """Limit bodies to `largest` bytes, and tell the server the limit of each view."""
    app.config["MAX_CONTENT_LENGTH"] = largest or MAX_BODY_BYTES
    app.extensions[BODY_LIMIT_KEY] = partial(_body_limit, app)
    app.before_request(partial(_limit_body, app))
    app.wsgi_app = _with_readable_chunks(app.wsgi_app)  # type: ignore[method-assign] # Flask's own advice


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
