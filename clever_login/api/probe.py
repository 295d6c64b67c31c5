"""Single requests of an operator who wants to know what Clever answers, whatever it is."""

from __future__ import annotations

import requests

from clever_login.api.deadline import Deadline
from clever_login.api.retries import Answer
from clever_login.api.transport import Bounds, Transport

ANYTHING = Bounds(only_json=False)


def ask(
    transport: Transport,
    url: str,
    deadline: Deadline,
    *,
    credentials: tuple[str, str] | None = None,
    token: str | None = None,
    **query: str,
) -> Answer:
    """GET a URL as the app, with a token, or as nobody; CleverUnavailable without an answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = requests.Request("GET", url, auth=credentials, headers=headers, params=query)
    return transport.send(request, deadline, ANYTHING)
