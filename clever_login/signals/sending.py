"""Sends signals, and names the receiver that fails."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from blinker import Signal

from clever_login.errors import ReceiverFailed


class TransactionEnded(Exception):
    """A receiver committed or rolled back a transaction, which only the library may do."""


def is_connected(app: object, *signals: Signal) -> bool:
    """Return whether any of these signals has a receiver for this app."""
    return any(signal.has_receivers_for(app) for signal in signals)


def send(
    signal: Signal, app: object, check: Callable[[Any], None] | None = None, **values: Any
) -> list[Any]:
    """Call the receivers one after another, and return what they return, without None.

    `check` raises if a receiver returned a wrong value. Raises ReceiverFailed at the first receiver
    that raises.
    """
    results: list[Any] = []
    if signal.is_muted:
        return results
    for receiver in signal.receivers_for(app):
        try:
            result = _call(receiver, app, values)
            if result is not None and check:
                check(result)
        except Exception as error:  # noqa: BLE001 # whatever the product's code raises
            raise ReceiverFailed(receiver_name(receiver), error) from None
        if result is not None:
            results.append(result)
    return results


def receiver_name(receiver: Callable[..., Any]) -> str:
    """Return the module and name of a receiver, such as `reading.signals.moved`."""
    name = getattr(receiver, "__qualname__", type(receiver).__qualname__)
    return f"{receiver.__module__}.{name}"


def _call(receiver: Callable[..., Any], app: object, values: dict[str, Any]) -> Any:
    if iscoroutinefunction(receiver):
        raise TypeError("a receiver cannot be a coroutine function")
    connection = values.get("connection")
    transaction = connection.get_transaction() if connection else None
    result = receiver(app, **values)
    if transaction and not transaction.is_active:
        raise TransactionEnded
    return result
