"""The objects that each process has one of: settings, store, HTTP client, and caches."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import Flask, current_app

from clever_login import warm_up
from clever_login.api_versions import VERSIONS, ApiVersion
from clever_login.clever.deadlines import Deadline
from clever_login.clever.http import HttpClient
from clever_login.clever.oidc import SigningKeys
from clever_login.clever.profile import ProfileLoader, RecordCache
from clever_login.clever.status_page import StatusPage
from clever_login.clever.user_client import UserClient
from clever_login.config import Settings
from clever_login.logs.events import log_event
from clever_login.storage import private_files
from clever_login.storage.base import Store
from clever_login.storage.file_store import FileStore
from clever_login.storage.redis_store import RedisStore


@dataclass(frozen=True)
class Services:
    """The shared objects of one app. None of them opens a connection before its first use."""

    settings: Settings
    store: Store
    transport: HttpClient
    keys: SigningKeys
    status: StatusPage
    record_cache: RecordCache

    @property
    def version(self) -> ApiVersion:
        """The configured version of Clever's API."""
        return VERSIONS[self.settings.clever_api_version]

    def user_client(self, token: str, deadline: Deadline) -> UserClient:
        """Return a client of Clever's API for one access token."""
        return UserClient(
            transport=self.transport,
            api_url=self.settings.clever_api_url,
            version=self.version,
            token=token,
            deadline=deadline,
        )

    def profile_loader(self, token: str, deadline: Deadline) -> ProfileLoader:
        """Return the loader of one user's profile."""
        return ProfileLoader(client=self.user_client(token, deadline), cache=self.record_cache)


def init_app(app: Flask, settings: Settings, store: Store | None = None) -> None:
    """Create the services. Without a `store`, sessions are in Redis or in a file."""
    folder = Path(app.instance_path)
    _restrict_permissions(folder, private_files.database_file(settings.database_url, folder))
    store = store or _create_store(settings, folder / private_files.STORE_FOLDER)
    transport = HttpClient(ca_bundle=settings.clever_ca_bundle)
    status = StatusPage(transport, settings.clever_status_url)
    app.extensions["clever_login"] = Services(
        settings=settings,
        store=store,
        transport=transport,
        keys=SigningKeys(transport, settings.clever_url),
        status=status,
        record_cache=RecordCache(),
    )
    warm_up.register_loader(app, store.load)


def services(app: Flask | None = None) -> Services:
    """Return the services of this app, by default the current app."""
    return cast(Services, (app or current_app).extensions["clever_login"])


def _restrict_permissions(folder: Path, database: Path | None) -> None:
    """Restrict files that an older version or an operator created with too wide permissions."""
    corrected, uncorrected = private_files.restrict_to_owner(folder, database)
    for path in corrected:
        log_event("permissions_corrected", level=logging.WARNING, file=path.name)
    for path in uncorrected:
        log_event("permissions_too_wide", level=logging.ERROR, file=path.name)


def _create_store(settings: Settings, folder: Path) -> Store:
    return RedisStore(settings) if settings.redis_url else FileStore(folder)
