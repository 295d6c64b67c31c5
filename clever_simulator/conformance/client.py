"""The app under test, and what a user does with it."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from clever_simulator.conformance.browser import Browser, Page
from clever_simulator.directory.models import Person
from clever_simulator.testing import SimulatedClever

METHOD_NOT_ALLOWED = 405


class CheckImpossible(Exception):
    """The app cannot be checked. The message is a sentence that says why."""


@dataclass
class App:
    """An app that logs users in with the simulator.

    `page` is a URL that shows the user's name. Without it, it is the page after the first login.
    """

    clever: SimulatedClever
    login: str
    page: str = ""
    logout: str = ""
    redirect_uri: str = field(default="", init=False)

    def authorization(self, browser: Browser) -> str:
        """Start a login, and return the URL at Clever to which the app sends the browser.

        Raises CheckImpossible if it sends it elsewhere.
        """
        page = browser.open(self.login, self.is_at_clever)
        if page.status == METHOD_NOT_ALLOWED:  # the login starts with a button, which sends a form
            page = browser.request(self.login, form={})
        if not self.is_at_clever(page.location):
            raise CheckImpossible(
                f"{page.url} answers {page.status} and does not send the browser to "
                f"{self.clever.simulator.url}/oauth/authorize."
            )
        return page.location

    def is_at_clever(self, url: str) -> bool:
        """Whether a URL is one of the simulator's."""
        return url.startswith(f"{self.clever.simulator.url}/")

    def callback(self, browser: Browser, user_name: str) -> str:
        """Start a login in the app, log in at Clever, and return the URL to come back to."""
        return self.clever.log_in(self.authorization(browser), user_name)

    def launch(self, user_name: str) -> str:
        """Return the URL to which the Portal sends a browser: a code, and no state."""
        query = {
            "response_type": "code",
            "client_id": self.clever.environment["CLEVER_CLIENT_ID"],
            "redirect_uri": self.redirect_uri,
        }
        address = f"{self.clever.simulator.url}/oauth/authorize?{urlencode(query)}"
        return self.clever.log_in(address, user_name)

    def come_back(self, browser: Browser, url: str, user_name: str) -> Page:
        """Open a callback. If the app sends the browser to Clever again, log in there."""
        page = browser.open(url, self.is_at_clever)
        if self.is_at_clever(page.location):
            page = browser.open(self.clever.log_in(page.location, user_name), self.is_at_clever)
        return page

    def shows(self, browser: Browser, user_name: str) -> bool:
        """Whether the page of this browser has the user's name, email address, or ID."""
        page = browser.open(self.page, self.is_at_clever)
        return names(page, self.clever.person(user_name))

    def exchanges(self) -> int:
        """Return how many codes the app has sent to Clever so far."""
        return sum(
            (request["method"], request["path"]) == ("POST", "/oauth/tokens")
            for request in self.clever.simulator.received_requests()
        )


def names(page: Page, person: Person) -> bool:
    """Whether a page has a person's first name, last name, email address, or ID."""
    text = html.unescape(page.text)
    values = (person.name.first, person.name.last, person.email, person.id)
    return not page.location and any(
        value and re.search(rf"\b{re.escape(value)}\b", text) for value in values
    )


def changed(url: str, **parameters: str | None) -> str:
    """Return a URL with other query parameters. None removes one."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | parameters
    kept = {name: value for name, value in query.items() if value is not None}
    return parts._replace(query=urlencode(kept)).geturl()


def parameter(url: str, name: str) -> str:
    """Return a query parameter of a URL, or an empty string."""
    return dict(parse_qsl(urlsplit(url).query)).get(name, "")
