"""social-auth-core's Clever backend with another URL, because the API's is hard-coded."""

from __future__ import annotations

import os
from typing import Any

from social_core.backends.clever import CleverOAuth2

CLEVER, API = os.environ["BENCH_CLEVER"], os.environ["BENCH_API"]


class Clever(CleverOAuth2):  # type: ignore[misc] # untyped, as mypy sees it
    """The same backend with other URLs."""

    AUTHORIZATION_URL = f"{CLEVER}/oauth/authorize"
    ACCESS_TOKEN_URL = f"{CLEVER}/oauth/tokens"

    def get_json(self, url: str, *args: Any, **parts: Any) -> Any:
        """Calls the upstream instead of Clever."""
        return super().get_json(url.replace("https://api.clever.com", API), *args, **parts)
