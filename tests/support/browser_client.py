"""A browser at the HTTP level: it follows links and redirects and submits forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from bs4 import BeautifulSoup, Tag

from tests.support import page_checks

MAX_REDIRECTS = 12
NAVIGATION_HEADERS = {  # what a browser sends for a link, a form, or a typed URL
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


def _new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def send_request(url: str, method: str = "GET", **parts: Any) -> requests.Response:
    """Send one request without a browser's headers and without following redirects."""
    with _new_session() as session:
        return session.request(method, url, allow_redirects=False, timeout=30, **parts)


@dataclass
class Visitor:
    """One browser: its cookies, the page it is on, and the responses that led to that page."""

    app_url: str
    http: requests.Session = field(default_factory=_new_session)
    url: str = ""
    response: requests.Response = field(default_factory=requests.Response)
    page: BeautifulSoup = field(default_factory=lambda: BeautifulSoup("", "html.parser"))
    hops: list[requests.Response] = field(default_factory=list)
    checks_pages: bool = True  # that each page is valid HTML with the headers of this project
    stop_at: str | None = None  # a path: a redirect to it is not followed; `url` is its target

    def open(self, url: str, **headers: str) -> Visitor:
        """Open a URL as if typed into the address bar, and follow all redirects."""
        self.hops = []
        self._send("GET", urljoin(self.app_url, url), {}, headers, site="none")
        return self

    def click(self, words: str) -> Visitor:
        """Follow the link that contains this text."""
        return self.follow(self._one("a", words))

    def follow(self, link: Tag) -> Visitor:
        """Follow this link."""
        self.hops = []
        self._send("GET", urljoin(self.url, str(link["href"])), {}, {})
        return self

    def press(self, words: str, **fields: str) -> Visitor:
        """Submit the form whose button contains this text, with these fields filled in."""
        button = self._one("button", words)
        form = button.find_parent("form")
        assert isinstance(form, Tag), "a button without a form"
        data = _form_fields(form)
        if button.get("name"):
            data[str(button["name"])] = str(button.get("value", ""))
        self.hops = []
        target = urljoin(self.url, str(form.get("action") or self.url))
        self._send(str(form.get("method", "get")).upper(), target, data | fields, {})
        return self

    @property
    def text(self) -> str:
        """The text of the page, with whitespace collapsed."""
        return " ".join(self.page.get_text(" ").split())

    @property
    def heading(self) -> str:
        """The page's h1."""
        assert self.page.h1 is not None
        return " ".join(self.page.h1.get_text().split())

    @property
    def role(self) -> str:
        """The role in which the user sees this page. Empty on a page for logged-out visitors."""
        main = self.page.find("main")
        return str(main.get("data-role", "")) if isinstance(main, Tag) else ""

    @property
    def path(self) -> str:
        """The path of the current URL."""
        return urlsplit(self.url).path

    @property
    def code(self) -> str:
        """The stable code on an error page. Empty on other pages."""
        element = self.page.select_one(".adult code")
        return element.get_text() if element else ""

    @property
    def at_app(self) -> bool:
        """Whether the browser is at the app rather than at the simulator."""
        return self.url.startswith(self.app_url)

    def _one(self, tag: str, words: str) -> Tag:
        elements = [
            element
            for element in self.page.find_all(tag)
            if words in " ".join(element.get_text().split())
        ]
        assert elements, f"no {tag} says {words!r} on: {self.text}"
        return elements[0]

    def _send(
        self, method: str, url: str, data: dict[str, str], headers: dict[str, str], site: str = ""
    ) -> None:
        for _ in range(MAX_REDIRECTS):
            sent = self._headers(url, method, site) | headers
            self.response = self.http.request(
                method, url, data=data or None, headers=sent, allow_redirects=False, timeout=30
            )
            self.hops.append(self.response)
            came_from, self.url = self.url, url
            if not self.response.is_redirect:
                self._arrive()
                return
            url = urljoin(url, self.response.headers["Location"])
            if urlsplit(url).path == self.stop_at:
                self.url = url
                return
            if self.response.status_code in {301, 302, 303}:
                method, data = "GET", {}
            site = site or ("same-origin" if _origin(url) == _origin(came_from) else "cross-site")
        raise AssertionError(
            f"more than {MAX_REDIRECTS} redirects: {[hop.url for hop in self.hops]}"
        )

    def _headers(self, url: str, method: str, site: str) -> dict[str, str]:
        same = _origin(url) == _origin(self.url)
        headers = NAVIGATION_HEADERS | {
            "Sec-Fetch-Site": site or ("same-origin" if same else "cross-site"),
        }
        if method == "POST":
            headers["Origin"] = _origin(self.url)
        return headers

    def _arrive(self) -> None:
        is_page = self.response.headers.get("Content-Type", "").startswith("text/html")
        if is_page and self.checks_pages:
            self.page = page_checks.check_page(self.response, app=self.at_app)
        else:
            self.page = BeautifulSoup(self.response.text if is_page else "", "html.parser")


def _form_fields(form: Tag) -> dict[str, str]:
    """Return the data a browser sends for an untouched form. Checkboxes are left out."""
    inputs = form.find_all("input", attrs={"name": True, "type": lambda kind: kind != "checkbox"})
    data = {str(field["name"]): str(field.get("value", "")) for field in inputs}
    for select in form.find_all("select"):
        option = select.find("option")
        assert option is not None
        data[str(select["name"])] = str(option.get("value", option.get_text()))
    return data


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
