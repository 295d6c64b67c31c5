"""For the tests of your product: the simulator in the test's own process, on a free port.

`run_simulator()` starts it. Your app, in the same process or in another one, needs the variables in
`environment`. `log_in` does what a user does at Clever, so that a test needs no browser.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from clever_simulator.config import default_config
from clever_simulator.directory.models import Person
from clever_simulator.server import RunningSimulator, run_in_background


@dataclass(frozen=True)
class SimulatedClever:
    """A running simulator, and the variables that an app needs to log in with it.

    `simulator` has the faults, the changes, and the journal.
    """

    simulator: RunningSimulator
    environment: dict[str, str]

    @property
    def settings(self) -> dict[str, str]:
        """The same values, by the names that the settings have in Python."""
        return {name.lower(): value for name, value in self.environment.items()}

    def person(self, user_name: str) -> Person:
        """Return the person with this user name, such as `student`."""
        return self.simulator.people.person(user_name)

    def log_in(self, address: str | None, user_name: str) -> str:
        """Log in at the address to which the app redirects a login, and agree to every question.

        Returns the address of the app to which Clever redirects the browser. Raises ValueError for
        an address of another server, and LookupError if Clever shows a page instead.
        """
        if address is None or not address.startswith(f"{self.simulator.url}/"):
            raise ValueError(f"{address} is not an address of the simulator")
        parts = urlsplit(address)
        target = f"{parts.path}?{parts.query}"
        district_id = self.person(user_name).district.id
        browser = self.simulator.app.test_client()
        forms = {
            "/login": {"person": user_name, "district_id": district_id},
            "/confirm": {"answer": "yes"},
            "/consent": {"answer": "yes", "client_id": self.environment["CLEVER_CLIENT_ID"]},
        }
        for path, fields in forms.items():
            browser.post(path, data={"next": target, **fields}, base_url=self.simulator.url)
            response = browser.get(target, base_url=self.simulator.url)
            if response.location:
                return str(response.location)
        raise LookupError(f"Clever does not log {user_name} in: {response.text}")


@contextmanager
def run_simulator(
    app_url: str = "http://localhost", *, callback: str = "/oauth/callback"
) -> Iterator[SimulatedClever]:
    """Run the simulator until the block ends. It knows an app at `app_url` with this callback."""
    with run_in_background() as simulator:
        config, uris = default_config(app_url), (app_url + callback,)
        apps = tuple(replace(app, redirect_uris=uris) for app in config.apps)
        simulator.configure(replace(config, apps=apps))
        environment = {
            "APP_ENV": "development",
            "APP_URL": app_url,
            "CLEVER_CLIENT_ID": "simulator",
            "CLEVER_CLIENT_SECRET": "simulator-secret",
            "CLEVER_URL": simulator.url,
            "CLEVER_API_URL": simulator.url,
        }
        yield SimulatedClever(simulator, environment)
