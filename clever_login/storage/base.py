"""Where sessions and one-time claims are kept: what every store can do.

Values are bytes and keys are short ASCII words; what they mean is the callers' business.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

from clever_login.errors import StoreUnavailable

PROBE_SECONDS = 30  # after which a probe is gone even if its process was killed
KeyFilter = Callable[[str], bool]  # by its key


def every_key(_key: str) -> bool:
    """Choose every key."""
    return True


class Store(Protocol):
    """What every store can do; each method raises StoreUnavailable when it does not answer."""

    def get(self, key: str) -> bytes | None:
        """The value, or None when there is none or its time is over."""

    def set(self, key: str, value: bytes, seconds: int, *, only_existing: bool = False) -> None:
        """Keep a value for so many seconds; with `only_existing`, never bring one back."""

    def claim(self, key: str, seconds: int, note: bytes = b"") -> bool:
        """Take a name for so many seconds; True for exactly one of many callers.

        The value of a claimed name begins with the winner's `note`.
        """

    def delete(self, key: str) -> None:
        """Forget a value."""

    def delete_matching(self, pattern: str, chosen: KeyFilter = every_key) -> int:
        """Forget every value whose key matches (`*` stands for anything); how many there were.

        Of these only the `chosen` ones, in one walk over all keys.
        """

    def load(self) -> None:
        """Load the code that it needs, and open nothing."""


def probe(store: Store) -> None:
    """Write a value, read it back and delete it; raise StoreUnavailable if any of these fails.

    A full or read-only store still reads, so that a read alone would not show it.
    """
    key, value = f"probe-{secrets.token_hex(8)}", secrets.token_bytes(64)
    store.set(key, value, PROBE_SECONDS)
    came_back = store.get(key) == value
    store.delete(key)
    if not came_back or store.get(key) is not None:
        raise StoreUnavailable("the session store does not give back what was written to it")
