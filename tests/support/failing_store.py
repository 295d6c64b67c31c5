"""A session store that fails at one chosen call."""

from __future__ import annotations

from typing import Any

from clever_login.errors import StoreUnavailable


class FailingStore:
    """A store of which the n-th call fails."""

    def __init__(self, store: Any, failing_call: int) -> None:
        self._store, self._left = store, failing_call

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                raise StoreUnavailable(name)
            return method(*args, **kwargs)

        return call
