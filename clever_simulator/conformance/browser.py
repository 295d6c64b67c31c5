"""A small browser: cookies, redirects, and no other memory. It sees only what an app answers."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlencode, urljoin, urlsplit

MAX_REDIRECTS = 10
MAX_BYTES = 5_000_000
TIMEOUT_SECONDS = 30.0
HEADERS = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "User-Agent": "clever-simulator check",
}


class AppUnreachable(Exception):
    """The app does not answer. The message is a sentence."""


@dataclass(frozen=True)
class Page:
    """An answer of the app. `location` is the absolute target of a redirect, or empty."""

    url: str
    status: int
    text: str
    location: str


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> None:
        """Return None, so that the redirect itself is the answer."""


class Browser:
    """One browser. `pages` has all answers so far."""

    def __init__(self) -> None:
        # Browsers treat http://localhost as secure.
        policy = http.cookiejar.DefaultCookiePolicy(secure_protocols=("https", "http"))
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar(policy))
        no_proxy = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(cookies, no_proxy, _NoRedirects())
        self.pages: list[Page] = []

    def request(self, url: str, form: dict[str, str] | None = None) -> Page:
        """Open a URL, or send a form to it, without following a redirect. Raises AppUnreachable."""
        data, headers = None, dict(HEADERS)
        if form is not None:
            data = urlencode(form).encode()
            headers["Origin"] = "{0.scheme}://{0.netloc}".format(urlsplit(url))
            headers["Referer"] = url
        request = urllib.request.Request(url, data, headers)  # noqa: S310 # the caller's URL
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                page = _page(url, response.status, response, response.headers)
        except urllib.error.HTTPError as error:
            with error:
                page = _page(url, error.code, error, error.headers)
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise AppUnreachable(f"{url} does not answer ({reason}).") from error
        self.pages.append(page)
        return page

    def open(self, url: str, stop_at: Callable[[str], bool] = lambda _url: False) -> Page:
        """Open a URL and follow its redirects, up to one that leads to a URL to stop at."""
        page = self.request(url)
        for _ in range(MAX_REDIRECTS):
            if not page.location or stop_at(page.location):
                return page
            page = self.request(page.location)
        return page


def _page(url: str, status: int, body: Any, headers: Any) -> Page:
    text = body.read(MAX_BYTES).decode("utf-8", "replace")
    location = headers.get("Location") if status in range(300, 400) else None
    return Page(url, status, text, urljoin(url, location) if location else "")
