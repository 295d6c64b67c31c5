"""What an app's server does at Clever, as plain HTTP, to test the simulator's behavior."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from clever_simulator.server import RunningSimulator
from tests.support.browser_client import Visitor, send_request

APP_URL = "https://app.example"
REDIRECT_URI = f"{APP_URL}/oauth/callback"
CLIENT_SECRET = "simulator-secret"


def authorize(clever: RunningSimulator, client_id: str, **changes: str | None) -> str:
    """Return the URL of an authorization request. None leaves a parameter out."""
    query: dict[str, str | None] = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "district_id": clever.people.districts[0].id,
        "state": "a state",
    }
    request = requests.Request("GET", f"{clever.url}/oauth/authorize", params=query | changes)
    return str(request.prepare().url)


def log_in(
    clever: RunningSimulator, client_id: str, user_name: str = "student", **changes: str | None
) -> Visitor:
    """Log in at Clever with a new browser, and stop at the redirect to the app."""
    visitor = Visitor(APP_URL)
    visitor.stop_at = "/oauth/callback"
    visitor.open(authorize(clever, client_id, **changes))
    return visitor.press("Log in", username=user_name, password="clever")


def callback_query(visitor: Visitor) -> dict[str, str]:
    """Return the query parameters with which the browser returned to the app."""
    assert visitor.url.startswith(REDIRECT_URI), visitor.text
    query = parse_qs(urlsplit(visitor.url).query)
    return {name: values[0] for name, values in query.items()}


def exchange_code(
    clever: RunningSimulator, client_id: str, code: str, **parts: Any
) -> requests.Response:
    """Exchange the authorization code for a token."""
    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT_URI, "code": code}
    parts = {"data": form, "auth": (client_id, CLIENT_SECRET)} | parts
    return send_request(f"{clever.url}/oauth/tokens", "POST", **parts)


def log_in_and_exchange(
    clever: RunningSimulator, client_id: str, user_name: str = "student", **changes: str | None
) -> dict[str, str]:
    """Log in and return the whole token response."""
    query = callback_query(log_in(clever, client_id, user_name, **changes))
    tokens: dict[str, str] = exchange_code(clever, client_id, query["code"]).json()
    return tokens


def read_endpoint(
    clever: RunningSimulator, path: str, bearer: str, method: str = "GET"
) -> requests.Response:
    """Request one endpoint with a bearer token."""
    return send_request(
        f"{clever.url}{path}", method, headers={"Authorization": f"Bearer {bearer}"}
    )
