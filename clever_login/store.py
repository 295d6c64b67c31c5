"""Where sessions and one-time claims are kept: what every store can do.

Values are bytes and keys are short ASCII words; what they mean is the callers' business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from clever_login.errors import StoreUnavailable

T = TypeVar("T")
Chosen = Callable[[str], bool]  # by its key


def anything(_key: str) -> bool:
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

    def delete_matching(self, pattern: str, chosen: Chosen = anything) -> int:
        """Forget every value whose key matches (`*` stands for anything); how many there were.

        Of these only the `chosen` ones, in one walk over all keys.
        """

    def ping(self) -> None:
        """Raise StoreUnavailable unless the store answers."""

    def load(self) -> None:
        """Load the code that it needs, and open nothing."""


def or_unavailable(call: Callable[[], T]) -> T:
    """Make a call; whatever the file system or Redis raises becomes StoreUnavailable."""
    try:
        return call()
    except OSError as error:
        raise StoreUnavailable(type(error).__name__) from error
    except Exception as error:
        if type(error).__module__.startswith("redis."):  # not imported unless it is in use
            raise StoreUnavailable(type(error).__name__) from error
        raise
