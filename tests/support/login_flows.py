"""The three ways in, as a person takes them; each ends where Clever sends the browser."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

from tests.support.browser_client import Visitor
from tests.support.running_app import Site


def by_button(site: Site, user_name: str) -> Visitor:
    """The Log in with Clever link on our page, the school, then user name and password."""
    visitor = site.visitor().open("/").click("Log in with Clever")
    visitor.click(site.person(user_name).district.name)
    return log_in_at_clever(visitor, user_name)


def by_portal(site: Site, user_name: str) -> Visitor:
    """The district's portal, then the app's tile: no state."""
    return launch_tile(at_the_portal(site, user_name), site)


def at_the_portal(site: Site, user_name: str) -> Visitor:
    """Logged in to the district's portal."""
    visitor = site.visitor().open(
        f"{site.clever.url}/in/{site.person(user_name).district.shortname}"
    )
    return log_in_at_clever(visitor, user_name)


def by_instant_login(site: Site, user_name: str) -> Visitor:
    """A link that the district has put on its own pages: no state."""
    link = f"{site.clever.url}/oauth/instant-login?client_id={site.settings.clever_client_id}"
    visitor = site.visitor().open(f"{link}&district_id={site.person(user_name).district.id}")
    return log_in_at_clever(visitor, user_name)


def log_in_at_clever(visitor: Visitor, user_name: str) -> Visitor:
    """Fill in Clever's form."""
    return visitor.press("Log in", username=user_name, password="clever")


def launch_tile(visitor: Visitor, site: Site) -> Visitor:
    """Click the tile of the app with our client id."""
    for small in visitor.page.find_all("small"):
        if small.get_text() == site.settings.clever_client_id and small.parent and small.parent.a:
            return visitor.follow(small.parent.a)
    raise AssertionError(f"no tile of the app: {visitor.text}")


def stop_before_callback(site: Site, user_name: str, visitor: Visitor | None = None) -> Visitor:
    """By the button, up to the callback that Clever's answer leads to, which is not opened yet."""
    visitor = visitor or site.visitor()
    visitor.stop_at = "/oauth/callback"
    visitor.open(f"/login?district_id={site.person(user_name).district.id}")
    if visitor.path != visitor.stop_at:  # Clever did not know this browser yet
        log_in_at_clever(visitor, user_name)
    visitor.stop_at = None
    return visitor


def exchanges(site: Site) -> int:
    """How often a code was sent to Clever's token endpoint."""
    return [each["path"] for each in site.clever.journal()].count("/oauth/tokens")


def code_of(url: str) -> str:
    """The authorization code in a callback's address."""
    return parse_qs(urlsplit(url).query)["code"][0]


def with_code(url: str, code: str) -> str:
    """A callback's address with this code in place of its own."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | {"code": code}
    return parts._replace(query=urlencode(query)).geturl()


LOGIN_FLOWS = {"button": by_button, "portal": by_portal, "instant_login": by_instant_login}
