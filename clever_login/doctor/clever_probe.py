"""What the doctor asks of Clever; each question goes out once, and silence is explained."""

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
from clever_login.clever.retries import CleverResponse
from clever_login.config import Settings
from clever_login.doctor.environment import DoctorEnvironment
from clever_login.errors import LoginError

MAX_DISTRICTS = 20  # whose names are read, until a real one is among them


@dataclass(frozen=True, kw_only=True)
class ProbeReply:
    """An answer and when it came (Unix seconds), or why there is none and what to do."""

    answer: CleverResponse | None = None
    when: float = 0.0
    silence: str = ""
    do: str = ""

    @property
    def status(self) -> int:
        """The status, or 0 for silence."""
        return self.answer.status if self.answer else 0

    @property
    def cannot_now(self) -> bool:
        """Whether Clever says that it has no time or is not well."""
        return self.status == 429 or self.status >= 500

    @property
    def seconds_ahead(self) -> float | None:
        """How far the answer's clock is ahead of ours; None where it does not say."""
        try:
            date = self.answer.headers["Date"] if self.answer else ""
            return parsedate_to_datetime(date).timestamp() - self.when
        except (KeyError, ValueError):
            return None


class CleverProbe:
    """One doctor's round at Clever; what was learned stays in memory and is never shown."""

    def __init__(self, case: DoctorEnvironment, seconds: float) -> None:
        self._settings: Settings = case.settings
        self._seconds = seconds  # for the calls of one check
        self._replies: dict[str, ProbeReply] = {}
        self._transport = HttpClient(ca_bundle=case.settings.clever_ca_bundle)

    @property
    def listing(self) -> ProbeReply:
        """The list of district-app tokens, asked for with the app's credentials."""
        settings = self._settings
        return self._once(
            f"{settings.clever_url}/oauth/tokens",
            credentials=(settings.clever_client_id, settings.clever_client_secret),
            owner_type="district",
        )

    @property
    def api(self) -> ProbeReply:
        """What the data API says to nobody: a refusal, if it is there."""
        return self._once(f"{self._api}/me")

    @property
    def authorization(self) -> ProbeReply:
        """What the authorization endpoint says to somebody who is not logged in."""
        settings = self._settings
        return self._once(
            f"{settings.clever_url}/oauth/authorize",
            response_type="code",
            client_id=settings.clever_client_id,
            redirect_uri=settings.redirect_uri,
        )

    @property
    def tokens(self) -> tuple[str, ...] | None:
        """The district-app tokens; None when Clever gave no list."""
        listed = _data_rows(self.listing)
        if listed is None:
            return None
        values = (each.get("access_token") for each in listed)
        return tuple(value for value in values if isinstance(value, str) and value)

    def district_names(self) -> Iterator[str]:
        """The names of the first districts, one call each, as long as there is time."""
        deadline = Deadline(self._seconds)
        for token in (self.tokens or ())[:MAX_DISTRICTS]:
            reply = self._ask(f"{self._api}/districts", deadline, token=token)
            yield from filter(None, _district_names(reply))

    def reads(self, what: str) -> bool | None:
        """Whether the first district's token may list this; None when Clever does not say."""
        token = next(iter(self.tokens or ()), None)
        deadline = Deadline(self._seconds / 2)
        reply = self._ask(f"{self._api}/{what}", deadline, token=token, limit="1")
        if reply.status == 200:
            return True
        return False if reply.status in {403, 404} else None

    @property
    def _api(self) -> str:
        return f"{self._settings.clever_api_url}/{self._settings.clever_api_version}"

    def _once(self, url: str, **parts: Any) -> ProbeReply:
        if url not in self._replies:
            self._replies[url] = self._ask(url, Deadline(self._seconds), **parts)
        return self._replies[url]

    def _ask(self, url: str, deadline: Deadline, **parts: Any) -> ProbeReply:
        try:
            answer = send_raw(self._transport, url, deadline, **parts)
        except LoginError as error:
            says, do = _explain_failure(error, urlsplit(url).hostname or "")
            return ProbeReply(silence=says, do=do)
        return ProbeReply(answer=answer, when=time.time())


def _data_rows(reply: ProbeReply) -> list[dict[str, Any]] | None:
    """The `data` of a list; None when the answer is something else."""
    if reply.answer is None or reply.status != 200:
        return None
    try:
        data = json.loads(reply.answer.body)["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else None


def _district_names(reply: ProbeReply) -> Iterator[str]:
    for row in _data_rows(reply) or ():
        data = row.get("data")
        name = data.get("name") if isinstance(data, dict) else None
        yield name if isinstance(name, str) else ""


def _explain_failure(error: BaseException, host: str) -> tuple[str, str]:
    """Why there was no answer, and what to do about it, from the innermost cause."""
    cause = error
    while inner := cause.__cause__ or cause.__context__:
        cause = inner
    if isinstance(cause, socket.gaierror):
        return f"The name {host} is not found (DNS).", "Mend this machine's DNS or its network."
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"{host} shows a certificate that the app does not trust: {cause.verify_message}.",
            "If your network puts its own certificate in between, set CLEVER_CA_BUNDLE to its "
            "file; if it has expired or is not yet valid, look at this machine's clock.",
        )
    if isinstance(cause, ssl.SSLError):
        return f"{host} does not speak TLS as it should.", "See what answers at this address."
    if isinstance(cause, TimeoutError):
        return f"{host} does not answer in time.", "Try again; then open the way out, port 443."
    if isinstance(cause, ConnectionRefusedError):
        return f"{host} takes no connection.", "Open the way out to it, port 443."
    return f"{host} gives no whole answer.", "Try again; then see status.clever.com."
