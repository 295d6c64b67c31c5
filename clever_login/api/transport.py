"""The one way out to Clever: pooled, kept alive, time-boxed, bounded, without memory of anyone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProtocolError

from clever_login import __version__
from clever_login.api.deadline import (
    CONNECT_SECONDS,
    Deadline,
    TimeBoxedHTTPPool,
    TimeBoxedHTTPSPool,
    current,
)
from clever_login.errors import CleverUnavailable, CleverUnexpected

T = TypeVar("T")
LOGIN_SECONDS = 10.0  # for all calls of one login; a code lives 60 s, a router waits 30 s
READ_SECONDS = 5.0
LARGEST_BODY = 1_000_000  # bytes, after decompression
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"clever-login/{__version__}",
}
POOL_SIZE = 32  # connections kept a host, and threads for calls that go out together


@dataclass(frozen=True)
class Answer:
    """A response read to its end: status, headers (names without case), body."""

    status: int
    headers: requests.structures.CaseInsensitiveDict[str]
    body: bytes


class _Adapter(HTTPAdapter):
    """requests' adapter over the time-boxed connection pools."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": TimeBoxedHTTPPool,
            "https": TimeBoxedHTTPSPool,
        }


class Transport:
    """One a process; nothing is opened or started before the first call, so a fork is harmless.

    It is requests' adapter without its Session, which would keep one person's cookies for the
    next, read netrc and proxies of whoever started the process, and read a redirect to its end.
    """

    def __init__(self, *, ca_bundle: str | None = None) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._adapter = _Adapter(pool_connections=4, pool_maxsize=POOL_SIZE, max_retries=0)
        self._verify = ca_bundle or True

    def send(self, request: requests.Request, deadline: Deadline) -> Answer:
        """Send one request; CleverUnavailable when there is no whole answer in time.

        Redirects are not followed. A GET whose kept-alive connection turns out to be closed is
        sent once more; nothing else ever is.
        """
        request.headers = HEADERS | request.headers
        prepared = request.prepare()
        try:
            try:
                return self._attempt(prepared, deadline)
            except requests.ConnectionError as error:
                if prepared.method != "GET" or not _hung_up(error):
                    raise
                return self._attempt(prepared, deadline)
        except (requests.RequestException, OSError) as error:
            raise _unavailable(error) from error

    def start(self, call: Callable[[], T]) -> Future[T]:
        """Make a call in another thread, so that this one can make its own."""
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(POOL_SIZE, thread_name_prefix="clever")
        return self._executor.submit(call)

    def _attempt(self, prepared: requests.PreparedRequest, deadline: Deadline) -> Answer:
        current.deadline, current.read_seconds = deadline, READ_SECONDS
        try:
            timeout = (deadline.remaining(CONNECT_SECONDS), deadline.remaining(READ_SECONDS))
            with self._adapter.send(
                prepared, stream=True, timeout=timeout, verify=self._verify
            ) as response:
                return Answer(response.status_code, response.headers, _bounded_body(response))
        finally:
            current.deadline = None


def _bounded_body(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > LARGEST_BODY:
            raise CleverUnexpected("an answer of Clever's is larger than 1 MB")
    return bytes(body)


def _hung_up(error: requests.ConnectionError) -> bool:
    """Whether the other side closed the connection, which is no time-out and no refusal."""
    return bool(error.args) and isinstance(error.args[0], ProtocolError)


def _unavailable(error: Exception) -> CleverUnavailable:
    return CleverUnavailable(f"no answer from Clever ({type(error).__name__})")
