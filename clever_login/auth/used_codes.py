"""Authorization codes that this app exchanged, refused, or dropped: none is exchanged again.

A code stays valid at Clever for one minute, and Clever accepts it from this app whichever browser
brought it. Anyone who reads a code that the app left unused could log in as its user. The store
keeps a SHA-256 hash of each code for two minutes, so every process refuses it.

Anyone can send codes, so each process writes a limited number of dropped codes to the store. It
keeps further ones in its own memory, as it does while the store is down. See SECURITY.md.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections import deque
from threading import Lock
from typing import cast

from flask import current_app

from clever_login.errors import StoreUnavailable
from clever_login.storage.base import Store

RETENTION_SECONDS = 2 * 60  # Clever's codes are valid for one minute
MAX_DROPPED = 5000  # dropped codes that a process writes in RETENTION_SECONDS: about 1 MB of Redis
STORE_PAUSE_SECONDS = 5.0  # after the store failed, dropped codes do not wait for it again
FILTER_BITS = 1 << 22  # 512 KiB, twice; 400,000 codes in it give 1 % false matches


class UsedCodes:
    """The used codes of one process. All processes share the store."""

    def __init__(self, store: Store, most_dropped: int = MAX_DROPPED) -> None:
        self._store, self._most_dropped = store, most_dropped
        self._here = _BloomFilter()
        self._lock = Lock()
        self._written: deque[float] = deque()
        self._store_failed = float("-inf")

    def claim(self, code: str) -> bool:
        """Reserve a code for its exchange. Returns False if any process has seen the code before.

        Raises StoreUnavailable: without the store, the app cannot tell whether the code was used.
        """
        digest = code_hash(code)
        return digest not in self._here and self._store.add_if_absent(
            f"code-{digest}", RETENTION_SECONDS
        )

    def drop(self, code: str) -> bool:
        """Invalidate a code. Returns False if only this process knows about it."""
        digest = code_hash(code)
        if self._may_write():
            try:
                self._store.add_if_absent(f"code-{digest}", RETENTION_SECONDS)
            except StoreUnavailable:
                self._store_failed = time.monotonic()
            else:
                return True
        self._here.add(digest)
        return False

    def _may_write(self) -> bool:
        now = time.monotonic()
        if now - self._store_failed < STORE_PAUSE_SECONDS:
            return False
        with self._lock:
            while self._written and now - self._written[0] > RETENTION_SECONDS:
                self._written.popleft()
            if len(self._written) >= self._most_dropped:
                return False
            self._written.append(now)
            return True


class _BloomFilter:
    """A Bloom filter of hashes that keeps each for at least two minutes, with a fixed size.

    A list with a limit would forget the oldest code, so a flood of codes could free a stolen one. A
    false match costs a user one more redirect to Clever.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._new, self._old = bytearray(FILTER_BITS // 8), bytearray(FILTER_BITS // 8)
        self._begun = time.monotonic()

    def add(self, digest: str) -> None:
        with self._lock:
            self._turn()
            for byte, bit in _bit_positions(digest):
                self._new[byte] |= bit

    def __contains__(self, digest: str) -> bool:
        with self._lock:
            self._turn()
            return any(
                all(bits[byte] & bit for byte, bit in _bit_positions(digest))
                for bits in (self._new, self._old)
            )

    def _turn(self) -> None:
        """Every two minutes, discard the hashes of the period before the last."""
        periods = (time.monotonic() - self._begun) // RETENTION_SECONDS
        if periods > 0:
            self._old = self._new if periods == 1 else bytearray(FILTER_BITS // 8)
            self._new = bytearray(FILTER_BITS // 8)
            self._begun += periods * RETENTION_SECONDS


def code_hash(code: str) -> str:
    """Return the SHA-256 of a code in hexadecimal."""
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()


def _bit_positions(digest: str) -> list[tuple[int, int]]:
    numbers = struct.unpack(">4I", bytes.fromhex(digest[:32]))
    return [(number % FILTER_BITS // 8, 1 << number % 8) for number in numbers]


def used_codes() -> UsedCodes:
    """Return the UsedCodes of the current app."""
    return cast(UsedCodes, current_app.extensions["clever_login_used_codes"])
