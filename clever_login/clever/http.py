"""The one way out to Clever: pooled, kept alive, time-boxed, bounded, without memory of anyone.

Single requests of an operator who wants to know what Clever answers, whatever it is.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from ssl import CERT_REQUIRED, SSLContext
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import DecodeError, MaxRetryError, NewConnectionError, ProtocolError
from urllib3.util.ssl_ import create_urllib3_context

from clever_login import __version__
from clever_login.clever.deadlines import (
    CONNECT_TIMEOUT_SECONDS,
    Deadline,
    DeadlineHTTPPool,
    DeadlineHTTPSPool,
    thread_deadline,
)
from clever_login.clever.retries import CleverResponse, may_send_again
from clever_login.errors import (
    CleverConnectionLost,
    CleverUnavailable,
    CleverUnexpected,
    CleverUnreachable,
)

T = TypeVar("T")
DEFAULT_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"clever-login/{__version__}",
}
RATE_LIMIT_PAUSE = 1.0  # seconds, where a 429 does not say how long
MAX_JITTER_SECONDS = 0.2  # seconds; a school that was cut off does not come back all at once
POOL_SIZE = 64  # connections kept a host, and threads for calls that go out together


@dataclass(frozen=True, kw_only=True)
class ResponseLimits:
    """How large and how slow an answer may be, and whether a request that failed is sent again."""

    largest_body: int = 1_000_000  # bytes, after decompression
    read_seconds: float = 5.0
    retry: bool = True
    only_json: bool = True  # a 200 with anything else counts as a failure


LOGIN_LIMITS = ResponseLimits()
# For whoever has patience of their own: a page of 10,000 records is 15 MB with every field.
LIST_LIMITS = ResponseLimits(largest_body=64_000_000, read_seconds=30.0, retry=False)


class _DeadlineAdapter(HTTPAdapter):
    """requests' adapter over the time-boxed connection pools.

    All connections share one TLS context: requests has the authorities' certificates read anew for
    each, which takes longer than the handshake.
    """

    def __init__(self, ca_bundle: str | None) -> None:
        self._authorities = ca_bundle or DEFAULT_CA_BUNDLE_PATH
        self._lock = threading.Lock()
        self._tls: SSLContext | None = None
        super().__init__(pool_connections=4, pool_maxsize=POOL_SIZE, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": DeadlineHTTPPool,
            "https": DeadlineHTTPSPool,
        }

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Where requests says how a host is to be checked: by our context."""
        host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            tls["ssl_context"] = self._context()
        return host, tls

    def cert_verify(self, *args: Any) -> None:
        """What requests would set on each pool, the context knows."""

    def _context(self) -> SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = create_urllib3_context(cert_reqs=CERT_REQUIRED)
                self._tls.load_verify_locations(self._authorities)
        return self._tls


class HttpClient:
    """One a process; nothing is opened or started before the first call, so a fork is harmless.

    It is requests' adapter without its Session, which would keep one person's cookies for the
    next, read netrc and proxies of whoever started the process, and read a redirect to its end.
    """

    def __init__(self, *, ca_bundle: str | None = None) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._adapter = _DeadlineAdapter(ca_bundle)

    def send(
        self, request: requests.Request, deadline: Deadline, bounds: ResponseLimits = LOGIN_LIMITS
    ) -> CleverResponse:
        """Send one request; CleverUnavailable when there is no whole answer in time.

        Redirects are not followed. Inside the deadline a request is sent once more if no connection
        was made, and a GET also if its answer was cut off or is temporary (clever/retries), after
        the time that Clever names. Any other request may have been received: CleverHungUp says so.
        """
        request.headers = DEFAULT_HEADERS | request.headers
        prepared = request.prepare()
        try:
            answer = self._attempt(prepared, deadline, bounds)
        except CleverUnavailable as failure:
            if not (bounds.retry and may_send_again(prepared.method, failure)):
                raise
            if not deadline.sleep(_jitter()):
                raise
            return self._attempt(prepared, deadline, bounds)
        if prepared.method != "GET" or not bounds.retry or not _failed(answer, bounds):
            return answer
        if not deadline.sleep(_pause(answer)):
            return answer
        return self._attempt(prepared, deadline, bounds)

    def start(self, call: Callable[[], T]) -> Future[T]:
        """Make a call in another thread, so that this one can make its own."""
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(POOL_SIZE, thread_name_prefix="clever")
        return self._executor.submit(call)

    def _attempt(
        self, prepared: requests.PreparedRequest, deadline: Deadline, bounds: ResponseLimits
    ) -> CleverResponse:
        thread_deadline.deadline, thread_deadline.read_seconds = deadline, bounds.read_seconds
        try:
            timeout = (
                deadline.remaining(CONNECT_TIMEOUT_SECONDS),
                deadline.remaining(bounds.read_seconds),
            )
            with self._adapter.send(prepared, stream=True, timeout=timeout) as response:
                body = _read_limited_body(response, bounds.largest_body)
                return CleverResponse(response.status_code, response.headers, body)
        except (requests.RequestException, OSError) as error:
            raise _unavailable_error_type(error)(f"no answer ({type(error).__name__})") from error
        finally:
            thread_deadline.deadline = None


def _read_limited_body(response: requests.Response, largest: int) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > largest:
            raise CleverUnexpected(f"an answer of Clever's is larger than {largest} bytes")
    return bytes(body)


def _unavailable_error_type(error: Exception) -> type[CleverUnavailable]:
    """Whether Clever refused the connection, cut the answer off, or said nothing for too long."""
    cause = error.args[0] if error.args else None
    if isinstance(cause, ProtocolError | DecodeError):
        return CleverConnectionLost
    if isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError):
        return CleverUnreachable
    return CleverUnavailable


def _failed(answer: CleverResponse, bounds: ResponseLimits) -> bool:
    return answer.temporary if bounds.only_json else answer.temporary and not answer.cut_off


def _pause(answer: CleverResponse) -> float:
    """Seconds before the second attempt: what Clever asks for, or a moment."""
    asked = answer.seconds_to_wait(time.time())
    if asked is not None:
        return asked
    return RATE_LIMIT_PAUSE if answer.status == 429 else _jitter()


def _jitter() -> float:
    return random.uniform(0, MAX_JITTER_SECONDS)  # noqa: S311 # not a secret


ANY_CONTENT = ResponseLimits(only_json=False)


def send_raw(
    transport: HttpClient,
    url: str,
    deadline: Deadline,
    *,
    credentials: tuple[str, str] | None = None,
    token: str | None = None,
    **query: str,
) -> CleverResponse:
    """GET a URL as the app, with a token, or as nobody; CleverUnavailable without an answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = requests.Request("GET", url, auth=credentials, headers=headers, params=query)
    return transport.send(request, deadline, ANY_CONTENT)
