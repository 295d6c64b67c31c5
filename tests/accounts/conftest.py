"""Fixtures of the tests of accounts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import HAS_SIMULATOR

if TYPE_CHECKING or HAS_SIMULATOR:
    from tests.support.roster_fixtures import run_roster_site, write_roster
    from tests.support.running_app import Site


@pytest.fixture
def school(database_url: str | None, tmp_path: Path) -> Iterator[Site]:
    """An app with a small roster."""
    with run_roster_site(tmp_path, database_url) as site:
        write_roster(site)
        yield site
