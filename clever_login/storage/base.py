"""The interface of the stores that keep sessions and one-time keys.

Values are bytes and keys are short ASCII words. Their meaning is up to the callers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

from clever_login.errors import StoreUnavailable

PROBE_SECONDS = 30  # after which a probe has expired, even if its process was killed
KeyFilter = Callable[[str], bool]  # takes a key


def every_key(_key: str) -> bool:
    """Select every key."""
    return True


class Store(Protocol):
    """The methods of every store. Each raises StoreUnavailable when the store does not answer."""

    def get(self, key: str) -> bytes | None:
        """Return the value, or None if there is none or it has expired."""

    def set(self, key: str, value: bytes, seconds: int, *, only_existing: bool = False) -> None:
        """Store a value for `seconds`.

        With `only_existing`, do nothing if the key does not exist.
        """

    def add_if_absent(self, key: str, seconds: int, note: bytes = b"") -> bool:
        """Add a key for `seconds`. Returns True for exactly one of several callers.

        The value begins with the `note` of the caller that added the key.
        """

    def delete(self, key: str) -> None:
        """Delete a value."""

    def delete_matching(self, pattern: str, matches: KeyFilter = every_key) -> int:
        """Delete the values whose keys match a glob pattern (`*`). Returns their number.

        Of the matching keys, only those for which `matches` returns True, in one scan of all keys.
        """

    def find(self, pattern: str, matches: KeyFilter = every_key) -> dict[str, bytes]:
        """Return the values whose keys match, by key, in one scan of all keys."""

    def load(self) -> None:
        """Import the code that the store needs, without opening a connection."""


def probe(store: Store) -> None:
    """Check the store: write a value, read it back, and delete it.

    A full or read-only store can still be read, so a read alone would not show it. Raises
    StoreUnavailable if any step fails.
    """
    key, value = f"probe-{secrets.token_hex(8)}", secrets.token_bytes(64)
    store.set(key, value, PROBE_SECONDS)
    is_stored = store.get(key) == value
    store.delete(key)
    if not is_stored or store.get(key) is not None:
        raise StoreUnavailable(
            "a value that was written to the session store could not be read back"
        )
