"""/healthz: this process answers. /readyz: its session store and database work, too."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import cast

from flask import Flask, current_app
from flask.typing import ResponseReturnValue

from clever_login.config import Settings
from clever_login.errors import StoreUnavailable
from clever_login.logs.events import log_event
from clever_login.services import services
from clever_login.storage.base import probe
from clever_login.web.routing import Routes, public

routes = Routes()
PLAIN_TEXT_HEADERS = {"Content-Type": "text/plain; charset=utf-8"}
_KEY = "clever_login_readiness"
_CHECKS_KEY = "clever_login_readiness_checks"
FRESH_SECONDS = 1  # how long "ready" is cached; a failure is checked again at once
WAIT_SECONDS = 5  # how long to wait for another request's check


class Readiness:
    """Whether this process can serve requests, checked by one request at a time.

    Anyone may request /readyz, and platforms do so every few seconds from several places. Each
    check writes to the session store and to the database.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._why: str | None = None
        self._began = self._ended = float("-inf")

    def why_not(self) -> str | None:
        """Return why the process cannot serve, as a sentence for an operator, or None if it can."""
        arrived = time.monotonic()
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            return self._why or "another check is still running"
        try:
            fresh = self._why is None and arrived - self._ended < FRESH_SECONDS
            if not fresh and self._began < arrived:
                self._check()
            return self._why
        finally:
            self._lock.release()

    def _check(self) -> None:
        self._began, before = time.monotonic(), self._why
        self._why = _why_not()
        self._ended = time.monotonic()
        if self._why is not None and self._why != before:
            log_event("not_ready", level=logging.ERROR, reason=self._why)
        elif self._why is None and before is not None:
            log_event("ready_again")


@routes.get("/healthz")
@public
def healthz() -> ResponseReturnValue:
    """Answer without session or store, so that a store outage does not restart the process."""
    return "ok\n", 200, PLAIN_TEXT_HEADERS


@routes.get("/readyz")
@public
def readyz() -> ResponseReturnValue:
    """Report whether the store and the database work. Clever is not called."""
    reason = cast(Readiness, current_app.extensions[_KEY]).why_not()
    return (
        (f"{reason}\n", 503, PLAIN_TEXT_HEADERS) if reason else ("ready\n", 200, PLAIN_TEXT_HEADERS)
    )


def _why_not() -> str | None:
    try:
        probe(services().store)
    except StoreUnavailable as error:
        return str(error)
    checks = current_app.extensions.get(_CHECKS_KEY, ())
    return next((reason for reason in (check() for check in checks) if reason), None)


def init_app(app: Flask, _settings: Settings) -> None:
    """Add the views at the root of the app: platforms look for them there."""
    app.extensions[_KEY] = Readiness()
    routes.add_to(app)


def add_check(app: Flask, check: Callable[[], str | None]) -> None:
    """Add a check to /readyz: it returns why the app cannot serve, or None."""
    app.extensions.setdefault(_CHECKS_KEY, []).append(check)
