"""What one process has one of: settings, store, transport, and the cookies of pending logins."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import Flask, current_app

from clever_login import ahead, logs, private_files
from clever_login.api.client import Client
from clever_login.api.deadline import Deadline
from clever_login.api.kept import Kept
from clever_login.api.signing_keys import SigningKeys
from clever_login.api.status import StatusPage
from clever_login.api.transport import Transport
from clever_login.api.versions import VERSIONS, Version
from clever_login.file_store import FileStore
from clever_login.pending import PendingLogins
from clever_login.redis_store import RedisStore
from clever_login.settings import Settings
from clever_login.store import Store
from clever_login.used_codes import UsedCodes


@dataclass(frozen=True)
class Services:
    """Made with the app; nothing in here opens a connection before it is used."""

    settings: Settings
    store: Store
    transport: Transport
    keys: SigningKeys
    status: StatusPage
    pending: PendingLogins
    codes: UsedCodes
    kept: Kept

    @property
    def version(self) -> Version:
        """The version of Clever's API that the settings name."""
        return VERSIONS[self.settings.clever_api_version]

    def client(self, token: str, deadline: Deadline) -> Client:
        """A client of Clever's API for one token."""
        return Client(
            transport=self.transport,
            api_url=self.settings.clever_api_url,
            version=self.version,
            token=token,
            deadline=deadline,
        )


def init_app(app: Flask, settings: Settings) -> None:
    """Make them."""
    folder = Path(app.instance_path)
    _close_to_others(folder)
    store = _store(settings, folder / private_files.STORE)
    transport = Transport(ca_bundle=settings.clever_ca_bundle)
    status = StatusPage(transport, settings.clever_status_url)
    app.extensions["clever_login"] = Services(
        settings=settings,
        store=store,
        transport=transport,
        keys=SigningKeys(transport, settings.clever_url),
        status=status,
        pending=PendingLogins(settings, store),
        codes=UsedCodes(store),
        kept=Kept(),
    )
    ahead.loads(app, store.load)
    app.jinja_env.globals["clever_incident"] = status.incident


def services(app: Flask | None = None) -> Services:
    """Those of this app, or of the one that answers this request."""
    return cast(Services, (app or current_app).extensions["clever_login"])


def _close_to_others(folder: Path) -> None:
    """Correct the modes of files that an older version or an operator has created."""
    closed, still_open = private_files.close_to_others(folder)
    for path in closed:
        logs.event("permissions_corrected", level=logging.WARNING, file=path.name)
    for path in still_open:
        logs.event("permissions_too_wide", level=logging.ERROR, file=path.name)


def _store(settings: Settings, folder: Path) -> Store:
    return RedisStore(settings) if settings.redis_url else FileStore(folder)
