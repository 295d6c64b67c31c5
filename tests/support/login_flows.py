"""The three ways to log in, as a user performs them. Each ends where Clever sends the browser."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

from tests.support.browser_client import Visitor
from tests.support.running_app import Site


def by_button(site: Site, user_name: str) -> Visitor:
    """Log in with the app's Log in with Clever link: pick the district, then enter credentials."""
    visitor = site.visitor().open("/").click("Log in with Clever")
    visitor.click(site.person(user_name).district.name)
    return log_in_at_clever(visitor, user_name)


def by_portal(site: Site, user_name: str) -> Visitor:
    """Log in at the district's portal, then open the app's tile. The login has no state."""
    return launch_tile(at_the_portal(site, user_name), site)


def at_the_portal(site: Site, user_name: str) -> Visitor:
    """Log in to the district's portal."""
    visitor = site.visitor().open(
        f"{site.clever.url}/in/{site.person(user_name).district.shortname}"
    )
    return log_in_at_clever(visitor, user_name)


def by_instant_login(site: Site, user_name: str) -> Visitor:
    """Log in with an Instant Login link, as on a district's own pages. The login has no state."""
    link = f"{site.clever.url}/oauth/instant-login?client_id={site.settings.clever_client_id}"
    visitor = site.visitor().open(f"{link}&district_id={site.person(user_name).district.id}")
    return log_in_at_clever(visitor, user_name)


def log_in_at_clever(visitor: Visitor, user_name: str) -> Visitor:
    """Fill in Clever's login form."""
    return visitor.press("Log in", username=user_name, password="clever")


def launch_tile(visitor: Visitor, site: Site) -> Visitor:
    """Click the tile of the app with the site's client id."""
    for small in visitor.page.find_all("small"):
        if small.get_text() == site.settings.clever_client_id and small.parent and small.parent.a:
            return visitor.follow(small.parent.a)
    raise AssertionError(f"no tile of the app: {visitor.text}")


def stop_before_callback(site: Site, user_name: str, visitor: Visitor | None = None) -> Visitor:
    """Log in with the button, and stop at the redirect to the callback without following it."""
    visitor = visitor or site.visitor()
    visitor.stop_at = "/oauth/callback"
    visitor.open(f"/login?district_id={site.person(user_name).district.id}")
    if visitor.path != visitor.stop_at:  # the browser has no session at Clever yet
        log_in_at_clever(visitor, user_name)
    visitor.stop_at = None
    return visitor


def exchanges(site: Site) -> int:
    """Return how many requests Clever's token endpoint received."""
    return [request["path"] for request in site.clever.received_requests()].count("/oauth/tokens")


def code_of(url: str) -> str:
    """Return the authorization code in a callback URL."""
    return parse_qs(urlsplit(url).query)["code"][0]


def with_code(url: str, code: str) -> str:
    """Return a callback URL with its authorization code replaced."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | {"code": code}
    return parts._replace(query=urlencode(query)).geturl()


LOGIN_FLOWS = {"button": by_button, "portal": by_portal, "instant_login": by_instant_login}
