"""Fixtures for the tests of bin/: a project with all packages, and another that runs bin/dev."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import HAS_SIMULATOR

if TYPE_CHECKING or HAS_SIMULATOR:
    from tests.support import fresh_checkout, running_app
    from tests.support.fresh_checkout import Dev


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with all packages, in which bin/dev is not running."""
    return fresh_checkout.installed_copy(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """bin/dev with the simulator, running in another copy on free ports."""
    copy = fresh_checkout.installed_copy(tmp_path_factory.mktemp("running"))
    app, clever = running_app.free_port(), running_app.free_port()
    with fresh_checkout.run_bin_dev(copy, PORT=str(app), SIMULATOR_PORT=str(clever)) as (
        process,
        log,
    ):
        fresh_checkout.wait_for_greeting(process, log, 60)
        yield Dev(copy, f"http://localhost:{app}", f"http://127.0.0.1:{clever}", process, log)
