"""Where a job of your own begins: the districts that authorised the app, their rosters, events.

    for student in districts().roster(district_id).people(Kind.STUDENTS):

It works in an application context, takes as long as it takes, and has no place inside a login or
a page.
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
    _paces: dict[str, RetryPolicy] = field(default_factory=dict, init=False, repr=False)

    def waiting_with(self, sleep: Callable[[float], None]) -> Districts:
        """The same, for whoever wants to know how long is waited for Clever."""
        tokens = replace(self.tokens, patience=RetryPolicy(sleep=sleep))
        return Districts(services=self.services, tokens=tokens, sleep=sleep)

    def ids(self) -> tuple[str, ...]:
        """The districts that authorised the app, as Clever says now."""
        return self.tokens.districts()

    def client(self, district_id: str) -> DistrictClient:
        """What asks with this district's token; all of them share that token's pace."""
        settings = self.services.settings
        return DistrictClient(
            transport=self.services.transport,
            tokens=self.tokens,
            api_url=settings.clever_api_url,
            version=VERSIONS[settings.clever_api_version],
            district_id=district_id,
            patience=self._paces.setdefault(district_id, RetryPolicy(sleep=self.sleep)),
        )

    def roster(self, district_id: str) -> Roster:
        """A district's schools, people, sections, courses, terms, resources."""
        return Roster(client=self.client(district_id))

    def events(self, district_id: str, *, page_size: int = MAX_PAGE_SIZE) -> DistrictEvents:
        """What changes in a district; so many events are in memory at a time."""
        return DistrictEvents(client=self.client(district_id), page_size=page_size)


def districts(app: Flask | None = None) -> Districts:
    """Those of this app, or of the one whose context this is."""
    extensions = (app or current_app).extensions
    if _DISTRICTS_KEY not in extensions:
        own = services(app)
        tokens = DistrictTokens(
            transport=own.transport,
            clever_url=own.settings.clever_url,
            client_id=own.settings.clever_client_id,
            client_secret=own.settings.clever_client_secret,
        )
        extensions[_DISTRICTS_KEY] = Districts(services=own, tokens=tokens)
    return cast(Districts, extensions[_DISTRICTS_KEY])


def districts_announcing_waits() -> Districts:
    """The districts, with a word on standard error whenever Clever makes us wait."""

    def wait(seconds: float) -> None:
        echo(f"Waiting {seconds:.0f} s for Clever.", aside=True)
        time.sleep(seconds)

    return districts().waiting_with(wait)
