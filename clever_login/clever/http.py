"""The HTTP client for all calls to Clever: pooled connections, deadlines, and size limits.

Nothing of one user's call, such as a cookie, is kept for the next. `send_raw` sends a single
request for an operator who wants to see Clever's response, whatever it is.
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
RATE_LIMIT_PAUSE = 1.0  # seconds, if a 429 does not say how long
MAX_JITTER_SECONDS = 0.2  # seconds; the users of a school that was cut off do not all retry at once
POOL_SIZE = 64  # connections kept per host, and threads for concurrent calls


@dataclass(frozen=True, kw_only=True)
class ResponseLimits:
    """The largest and slowest acceptable response, and whether a failed request is sent again."""

    largest_body: int = 1_000_000  # bytes, after decompression
    read_seconds: float = 5.0
    retry: bool = True
    only_json: bool = True  # a 200 with anything else counts as a failure


LOGIN_LIMITS = ResponseLimits()
# For callers that retry by themselves: a page of 10,000 records with all fields is 15 MB.
LIST_LIMITS = ResponseLimits(largest_body=64_000_000, read_seconds=30.0, retry=False)


class _DeadlineAdapter(HTTPAdapter):
    """The HTTP adapter of requests over connection pools that enforce deadlines.

    All connections share one TLS context: requests reads the CA certificates again for each
    connection, which takes longer than the handshake.
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
        """Use the shared TLS context, where requests sets how a host is verified."""
        host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            tls["ssl_context"] = self._context()
        return host, tls

    def cert_verify(self, *args: Any) -> None:
        """Do nothing: the shared TLS context has the settings that requests sets on each pool."""

    def _context(self) -> SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = create_urllib3_context(cert_reqs=CERT_REQUIRED)
                self._tls.load_verify_locations(self._authorities)
        return self._tls


class HttpClient:
    """The HTTP client of one process.

    It opens no connection and starts no thread before the first call, so the process may fork. It
    uses the adapter of requests without its Session, which would keep one user's cookies for the
    next, read the netrc and proxy settings of the user running the process, and read the body of a
    redirect.
    """

    def __init__(self, *, ca_bundle: str | None = None) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._adapter = _DeadlineAdapter(ca_bundle)

    def send(
        self, request: requests.Request, deadline: Deadline, bounds: ResponseLimits = LOGIN_LIMITS
    ) -> CleverResponse:
        """Send one request and return the response. Redirects are not followed.

        Within the deadline, a request is sent once more if no connection was made. A GET is also
        sent once more if its response was cut off or is temporary (see clever/retries), after the
        time that Clever asks for.

        Raises CleverUnavailable without a complete response in time, and its subclass
        CleverConnectionLost if Clever may have received the request.
        """
        request.headers = DEFAULT_HEADERS | request.headers
        prepared = request.prepare()
        try:
            response = self._attempt(prepared, deadline, bounds)
        except CleverUnavailable as failure:
            if not (bounds.retry and may_send_again(prepared.method, failure)):
                raise
            if not deadline.sleep(_jitter()):
                raise
            return self._attempt(prepared, deadline, bounds)
        if prepared.method != "GET" or not bounds.retry or not _failed(response, bounds):
            return response
        if not deadline.sleep(_pause(response)):
            return response
        return self._attempt(prepared, deadline, bounds)

    def start(self, call: Callable[[], T]) -> Future[T]:
        """Run a call in another thread, and return its Future."""
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
            raise CleverUnexpected(f"Clever's response is larger than {largest} bytes")
    return bytes(body)


def _unavailable_error_type(error: Exception) -> type[CleverUnavailable]:
    """Return the error type for a failed call.

    CleverUnreachable: no connection. CleverConnectionLost: the response was cut off.
    CleverUnavailable: no response in time.
    """
    cause = error.args[0] if error.args else None
    if isinstance(cause, ProtocolError | DecodeError):
        return CleverConnectionLost
    if isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError):
        return CleverUnreachable
    return CleverUnavailable


def _failed(response: CleverResponse, bounds: ResponseLimits) -> bool:
    return response.temporary if bounds.only_json else response.temporary and not response.cut_off


def _pause(response: CleverResponse) -> float:
    """Return the seconds before the second attempt: Clever's value, or a short random time."""
    seconds = response.seconds_to_wait(time.time())
    if seconds is not None:
        return seconds
    return RATE_LIMIT_PAUSE if response.status == 429 else _jitter()


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
    """GET a URL with the app's credentials, with a token, or with neither.

    Raises CleverUnavailable without a response.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = requests.Request("GET", url, auth=credentials, headers=headers, params=query)
    return transport.send(request, deadline, ANY_CONTENT)
