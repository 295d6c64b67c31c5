"""A Flask test client that sends what a browser sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from clever_login.config import Settings
from clever_login.services import services

NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}
SCRIPT = {
    "Accept": "application/json",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
}


class Browser(FlaskClient):
    """A Flask test client whose requests look like a browser's, at the host of APP_URL.

    `get`, `post`, and the other methods of Flask's client send the headers of a link or a form.
    Headers that a test passes replace them.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send a request. A path is completed with APP_URL."""
        settings = settings_of(self.application)
        path, *other_args = args
        if isinstance(path, str):
            path = urljoin(settings.app_url, path)
        headers = Headers(NAVIGATION)
        if kwargs.get("method", "GET") not in {"GET", "HEAD"}:
            headers["Origin"] = settings.app_url
        headers.update(Headers(kwargs.pop("headers", None)))
        return super().open(path, *other_args, headers=headers, **kwargs)

    def submit(self, path: str, **fields: str | Sequence[str]) -> TestResponse:
        """POST a form with these fields and with the CSRF token of the session.

        A sequence has the values of several checkboxes with one name.
        """
        return self.post(path, data={"csrf_token": self.csrf_token(), **fields})

    def fetch(self, path: str, method: str = "GET", **options: Any) -> TestResponse:
        """Send a request of a script on a page, with the CSRF token if the method needs one.

        `options` are those of Flask's client, such as `json`.
        """
        headers = Headers(SCRIPT)
        if method not in {"GET", "HEAD"}:
            headers["X-CSRFToken"] = self.csrf_token()
        headers.update(Headers(options.pop("headers", None)))
        return self.open(path, method=method, headers=headers, **options)

    def csrf_token(self) -> str:
        """Return the CSRF token of the session, or an empty string if nobody is logged in."""
        session = self.open(url_in(self.application, "/session"), headers=SCRIPT)
        return str((session.get_json() or {}).get("csrf_token", ""))


def browser(app: Flask) -> Browser:
    """Return a new browser without cookies."""
    return Browser(app, app.response_class, use_cookies=True)


def settings_of(app: Flask) -> Settings:
    """Return the settings that CleverLogin uses in this app.

    Raises RuntimeError for an app without CleverLogin.
    """
    if "clever_login" not in app.extensions:
        raise RuntimeError("this app has no CleverLogin: create it as your app does")
    return services(app).settings


def url_in(app: Flask, path: str) -> str:
    """Return the URL of one of the library's views, such as /login."""
    settings = settings_of(app)
    return f"{settings.app_url}{settings.url_prefix}{path}"
