"""Settings for tests: an app at http://localhost that never reaches Clever."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from clever_login.config import DEVELOPMENT, Settings

NOWHERE = "http://127.0.0.1:9"  # nothing listens on port 9


def sample_settings(instance_path: Path | str, **changes: Any) -> Settings:
    """Return settings of a development environment whose Clever does not answer.

    The app keeps its session store and its SQLite file in `instance_path`, such as pytest's
    `tmp_path`. `changes` are fields of Settings.
    """
    values: dict[str, Any] = {
        "app_env": DEVELOPMENT,
        "secret_key": secrets.token_hex(32),
        "app_url": "http://localhost",
        "clever_client_id": "client-of-the-tests",
        "clever_client_secret": "secret-of-the-tests",
        "clever_url": NOWHERE,
        "clever_api_url": NOWHERE,
        "instance_path": str(instance_path),
    }
    return Settings(**(values | changes))
