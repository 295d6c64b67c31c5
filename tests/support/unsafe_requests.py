"""Every request to an app that may change something, as its URL map lists them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flask import Flask
from werkzeug.routing import Rule

from clever_login.web.fetch_metadata import SAFE_METHODS

ONE_OF_EACH_CONVERTER = "1"  # a number, and a word


class UnsafeRequest(NamedTuple):
    """A method and a path, with the endpoint that they lead to."""

    endpoint: str
    method: str
    path: str


def unsafe_requests(app: Flask) -> Iterator[UnsafeRequest]:
    """Yield one request for each rule and each method that is not safe."""
    urls = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - SAFE_METHODS):
            yield UnsafeRequest(
                rule.endpoint, method, urls.build(rule.endpoint, _values(rule), method)
            )


def _values(rule: Rule) -> dict[str, str]:
    return dict.fromkeys(rule.arguments, ONE_OF_EACH_CONVERTER)
