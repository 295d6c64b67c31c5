"""A pytest fixture with a running simulator. Installing the package adds it to pytest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from clever_simulator.testing import SimulatedClever

OPTIONS = {
    "clever_app_url": ("the URL of your app in tests", "http://localhost"),
    "clever_callback": ("the path of your app to which Clever redirects", "/oauth/callback"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of pytest's configuration file."""
    for name, (text, default) in OPTIONS.items():
        parser.addini(name, text, default=default)


@pytest.fixture
def simulated_clever(pytestconfig: pytest.Config) -> Iterator[SimulatedClever]:
    """A simulator of Clever on a free port, new for each test.

    `environment` has the variables that an app needs, and `log_in` does what a user does at Clever.
    """
    from clever_simulator.testing import run_simulator

    app_url, callback = (str(pytestconfig.getini(name)) for name in OPTIONS)
    with run_simulator(app_url, callback=callback) as clever:
        yield clever
