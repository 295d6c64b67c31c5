"""Entry point for your own jobs: the districts that authorized the app, their rosters and events.

    for student in districts().roster(district_id).people(RecordKind.STUDENTS):

Requires an application context. Calls wait for Clever's rate limits and retry, so do not make them
in a login or a view.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

from flask import Flask, current_app

from clever_login.api_versions import VERSIONS
from clever_login.clever.district_api.district_client import DistrictClient, DistrictTokens
from clever_login.clever.district_api.events import DistrictEvents
from clever_login.clever.district_api.pagination import MAX_PAGE_SIZE
from clever_login.clever.district_api.rate_limit import RetryPolicy
from clever_login.clever.district_api.roster_client import Roster
from clever_login.safe_output import echo
from clever_login.services import Services, services

_DISTRICTS_KEY = "clever_login_districts"


@dataclass(frozen=True, kw_only=True)
class Districts:
    """The districts of one app, with their tokens in this process's memory."""

    services: Services
    tokens: DistrictTokens
    sleep: Callable[[float], None] = time.sleep
    _retry_policies: dict[str, RetryPolicy] = field(default_factory=dict, init=False, repr=False)

    def with_sleep(self, sleep: Callable[[float], None]) -> Districts:
        """Return a copy that calls `sleep` with the seconds of each wait for Clever."""
        tokens = replace(self.tokens, retries=RetryPolicy(sleep=sleep))
        return Districts(services=self.services, tokens=tokens, sleep=sleep)

    def ids(self) -> tuple[str, ...]:
        """Return the ids of the districts that authorize the app now, as reported by Clever."""
        return self.tokens.districts()

    def client(self, district_id: str) -> DistrictClient:
        """Return a client with this district's token.

        All clients of a district share one rate limit.
        """
        settings = self.services.settings
        return DistrictClient(
            transport=self.services.transport,
            tokens=self.tokens,
            api_url=settings.clever_api_url,
            version=VERSIONS[settings.clever_api_version],
            district_id=district_id,
            retries=self._retry_policies.setdefault(district_id, RetryPolicy(sleep=self.sleep)),
        )

    def roster(self, district_id: str) -> Roster:
        """Return a district's schools, users, sections, courses, terms, and resources."""
        return Roster(client=self.client(district_id))

    def events(self, district_id: str, *, page_size: int = MAX_PAGE_SIZE) -> DistrictEvents:
        """Return a reader of a district's events.

        At most `page_size` events are in memory at a time.
        """
        return DistrictEvents(client=self.client(district_id), page_size=page_size)


def districts(app: Flask | None = None) -> Districts:
    """Return the Districts of this app, by default the current app."""
    extensions = (app or current_app).extensions
    if _DISTRICTS_KEY not in extensions:
        app_services = services(app)
        tokens = DistrictTokens(
            transport=app_services.transport,
            clever_url=app_services.settings.clever_url,
            client_id=app_services.settings.clever_client_id,
            client_secret=app_services.settings.clever_client_secret,
        )
        extensions[_DISTRICTS_KEY] = Districts(services=app_services, tokens=tokens)
    return cast(Districts, extensions[_DISTRICTS_KEY])


def districts_announcing_waits() -> Districts:
    """Return the current app's Districts, printing each wait for Clever to standard error."""

    def wait(seconds: float) -> None:
        echo(f"Waiting {seconds:.0f} s before the next request to Clever.", to_stderr=True)
        time.sleep(seconds)

    return districts().with_sleep(wait)
