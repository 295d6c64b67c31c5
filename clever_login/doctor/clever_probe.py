"""The doctor's calls to Clever. Each is sent once, and failures are explained."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from clever_login.clever.deadlines import Deadline
from clever_login.clever.http import HttpClient, send_raw
from clever_login.clever.oidc import SigningKeys
from clever_login.clever.retries import NOT_SHARED_STATUSES, CleverResponse
from clever_login.config import Settings
from clever_login.doctor.environment import DoctorEnvironment
from clever_login.errors import LoginError

MAX_DISTRICTS = 20  # maximum number of names to read; stops at the first real district


@dataclass(frozen=True, kw_only=True)
class ProbeReply:
    """A response and when it arrived (Unix seconds), or why there is none and what to do."""

    response: CleverResponse | None = None
    received_at: float = 0.0
    problem: str = ""
    fix: str = ""

    @property
    def status(self) -> int:
        """The HTTP status, or 0 without a response."""
        return self.response.status if self.response else 0

    @property
    def is_unavailable(self) -> bool:
        """Whether Clever is rate limiting or has a server error."""
        return self.status == 429 or self.status >= 500

    @property
    def seconds_ahead(self) -> float | None:
        """How many seconds the server's clock is ahead of ours; None without a valid Date."""
        try:
            date = self.response.headers["Date"] if self.response else ""
            return parsedate_to_datetime(date).timestamp() - self.received_at
        except (KeyError, ValueError):
            return None


class CleverProbe:
    """The calls to Clever of one run. Responses stay in memory and are never shown."""

    def __init__(self, environment: DoctorEnvironment, seconds: float) -> None:
        self._settings: Settings = environment.settings
        self._seconds = seconds  # time limit for the calls of one check
        self._cached_replies: dict[str, ProbeReply] = {}
        self._transport = HttpClient(ca_bundle=environment.settings.clever_ca_bundle)

    @property
    def token_list(self) -> ProbeReply:
        """The list of district-app tokens, requested with the app's credentials."""
        settings = self._settings
        return self._send_once(
            f"{settings.clever_url}/oauth/tokens",
            credentials=(settings.clever_client_id, settings.clever_client_secret),
            owner_type="district",
        )

    @property
    def api(self) -> ProbeReply:
        """The data API's response without a token: a refusal, if the API is there."""
        return self._send_once(f"{self._api}/me")

    def authorization(self, redirect_uri: str) -> ProbeReply:
        """The authorization endpoint's response to a logged-out user."""
        settings = self._settings
        return self._send_once(
            f"{settings.clever_url}/oauth/authorize",
            response_type="code",
            client_id=settings.clever_client_id,
            redirect_uri=redirect_uri,
        )

    @property
    def tokens(self) -> tuple[str, ...] | None:
        """The district-app tokens, or None if Clever returned no list."""
        rows = _data_rows(self.token_list)
        if rows is None:
            return None
        values = (row.get("access_token") for row in rows)
        return tuple(value for value in values if isinstance(value, str) and value)

    def district_names(self) -> Iterator[str]:
        """Yield the names of the first districts, one call per token, until time runs out."""
        deadline = Deadline(self._seconds)
        for token in (self.tokens or ())[:MAX_DISTRICTS]:
            reply = self._send(f"{self._api}/districts", deadline, token=token)
            yield from filter(None, _district_names(reply))

    def can_list(self, collection: str) -> bool | None:
        """Return whether the first district's token may list this; None if Clever does not say."""
        token = next(iter(self.tokens or ()), None)
        deadline = Deadline(self._seconds / 2)
        limit = {} if collection == "districts" else {"limit": "1"}
        reply = self._send(f"{self._api}/{collection}", deadline, token=token, **limit)
        if reply.status == 200:
            return True
        return False if reply.status in NOT_SHARED_STATUSES else None

    def read_signing_keys(self) -> None:
        """Read the discovery document and the keys, as a login does.

        Raises CleverUnavailable, and its subclass KeysUnusable if they are not as they must be.
        """
        keys = SigningKeys(self._transport, self._settings.clever_url)
        keys.for_kid(None, Deadline(self._seconds))

    @property
    def _api(self) -> str:
        return f"{self._settings.clever_api_url}/{self._settings.clever_api_version}"

    def _send_once(self, url: str, **parameters: Any) -> ProbeReply:
        if url not in self._cached_replies:
            self._cached_replies[url] = self._send(url, Deadline(self._seconds), **parameters)
        return self._cached_replies[url]

    def _send(self, url: str, deadline: Deadline, **parameters: Any) -> ProbeReply:
        try:
            response = send_raw(self._transport, url, deadline, **parameters)
        except LoginError as error:
            problem, fix = _explain_failure(error, urlsplit(url).hostname or "")
            return ProbeReply(problem=problem, fix=fix)
        return ProbeReply(response=response, received_at=time.time())


def _data_rows(reply: ProbeReply) -> list[dict[str, Any]] | None:
    """Return the `data` array of a list response, or None for any other response."""
    if reply.response is None or reply.status != 200:
        return None
    try:
        data = json.loads(reply.response.body)["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else None


def _district_names(reply: ProbeReply) -> Iterator[str]:
    for row in _data_rows(reply) or ():
        data = row.get("data")
        name = data.get("name") if isinstance(data, dict) else None
        yield name if isinstance(name, str) else ""


def _explain_failure(error: BaseException, host: str) -> tuple[str, str]:
    """Return why there was no response and what to do, from the innermost cause."""
    cause = error
    while inner := cause.__cause__ or cause.__context__:
        cause = inner
    if isinstance(cause, socket.gaierror):
        return (
            f"DNS does not find the host name {host}.",
            "Check this machine's DNS settings and its network.",
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"{host} presents a certificate that the app does not trust: {cause.verify_message}.",
            "If your network replaces certificates with its own, set CLEVER_CA_BUNDLE to your "
            "network's file of certificate authorities. If the certificate has expired or is not "
            "yet valid, check this machine's clock.",
        )
    if isinstance(cause, ssl.SSLError):
        return (
            f"{host} did not complete the TLS handshake.",
            "Check which server answers at this address.",
        )
    if isinstance(cause, TimeoutError):
        return (
            f"{host} does not answer in time.",
            "Try again. If it fails again, allow outgoing connections to this host, port 443.",
        )
    if isinstance(cause, ConnectionRefusedError):
        return f"{host} refuses connections.", "Allow outgoing connections to this host, port 443."
    return (
        f"{host} did not send a complete response.",
        "Try again. If it fails again, check status.clever.com.",
    )
