"""Tells the app about logins by its signals. A receiver that fails is logged, and stops nothing."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from blinker import Signal
from flask import Flask, current_app

from clever_login.errors import ReceiverFailed
from clever_login.logs.events import log_event
from clever_login.signals.sending import send


def notify(signal: Signal, **values: Any) -> None:
    """Call the receivers of a signal that is sent outside of any transaction."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined] # the app itself is the sender
    try:
        send(signal, app, **values)
    except ReceiverFailed as error:
        log_event(
            "receiver_failed",
            level=logging.ERROR,
            reason=str(error),
            where="".join(traceback.format_tb(error.error.__traceback__)),
        )
