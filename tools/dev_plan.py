"""What bin/dev starts: the app, and the Clever simulator unless a real Clever app is configured."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from tools.dotenv import read_dotenv
from tools.ports import choose_port, wanted_port
from tools.python_version import clean_environment
from tools.terminal import SetupError

PEOPLE = "student, teacher, school_admin, district_admin, teacher_admin or sparse"
SHORTEST_KEY = 32
LOCAL_URL = re.compile(r"http://(?:localhost|127\.0\.0\.1)(?::(\d+))?/?")


@dataclass(frozen=True)
class Plan:
    """The ports and variables of one start. Without a simulator the app uses the real Clever."""

    variables: dict[str, str]
    port: int
    simulator_port: int | None

    @property
    def app_url(self) -> str:
        """The URL of the app on this machine."""
        return f"http://localhost:{self.port}"

    @property
    def simulator_url(self) -> str:
        """The URL of the simulator: a different site than the app's, as with the real Clever."""
        return f"http://127.0.0.1:{self.simulator_port}"

    def app_environment(self, folder: Path) -> dict[str, str]:
        """Returns all variables of the app."""
        own_settings = self._for_simulator() if self.simulator_port else self._for_clever()
        if not self.variables.get("SECRET_KEY"):
            own_settings["SECRET_KEY"] = development_key(folder)
        own_settings.update(PORT=str(self.port), FLASK_SKIP_DOTENV="1")
        return {**self.variables, **own_settings}

    def _for_simulator(self) -> dict[str, str]:
        return {
            "APP_ENV": "development",
            "APP_URL": self.app_url,
            "CLEVER_CLIENT_ID": "simulator",
            "CLEVER_CLIENT_SECRET": "simulator-secret",
            "CLEVER_URL": self.simulator_url,
            "CLEVER_API_URL": self.simulator_url,
            "CLEVER_STATUS_URL": f"{self.simulator_url}/_status",
        }

    def _for_clever(self) -> dict[str, str]:
        defaults = {"APP_ENV": "development", "APP_URL": self.app_url}
        return {key: self.variables.get(key) or value for key, value in defaults.items()}

    def simulator_arguments(self) -> list[str]:
        """Returns the simulator's command line, without the interpreter."""
        version = self.variables.get("CLEVER_API_VERSION") or "v3.0"
        where = ["--port", str(self.simulator_port), "--app-url", self.app_url]
        return ["-m", "clever_simulator", *where, "--api-version", version]

    def greeting(self, folder: Path) -> str:
        """Returns what the developer needs to know once everything has started."""
        if self.simulator_port:
            return (
                f"\n  The app            {self.app_url}\n"
                f"  Clever, simulated  {self.simulator_url}/  (its portal links to the app)\n\n"
                f"  Log in as {PEOPLE}.\n"
                "  The password is clever.\n\n"
                "  Ctrl-C stops both.\n"
            )
        address = self.app_environment(folder)["APP_URL"].rstrip("/")
        return (
            f"\n  The app               {self.app_url}  (with the real Clever)\n"
            f"  Its redirect URI      {address}/oauth/callback  (register it at Clever)\n\n"
            "  Ctrl-C stops it.\n"
        )


def read_variables(folder: Path) -> dict[str, str]:
    """Returns the variables of .env and the environment. The environment takes precedence."""
    return {**read_dotenv(folder / ".env"), **clean_environment()}


def make_plan(folder: Path, running: Plan | None = None) -> Plan:
    """Reads the environment and .env, and chooses the ports.

    Keeps the ports of a running plan unless the variables name other ones.
    """
    variables = read_variables(folder)
    app = running.port if running else 3000
    clever = (running and running.simulator_port) or 3001
    own_ports = frozenset({running.port, running.simulator_port or 0}) if running else frozenset()
    simulator = None
    if variables.get("CLEVER_CLIENT_ID"):
        variables["PORT"] = port_of_app_url(variables)
        wanted_port(variables, "SIMULATOR_PORT", clever)
    else:
        simulator = choose_port(
            variables,
            "SIMULATOR_PORT",
            clever,
            "the simulator",
            avoid=wanted_port(variables, "PORT", app),
            own_ports=own_ports,
        )
    port = choose_port(variables, "PORT", app, "the app", avoid=simulator or 0, own_ports=own_ports)
    return Plan(variables, port, simulator)


def port_of_app_url(variables: dict[str, str]) -> str:
    """Returns the port that Clever redirects to, if APP_URL is on this machine, else PORT."""
    port = variables.get("PORT", "")
    match = LOCAL_URL.fullmatch(variables.get("APP_URL", ""))
    if not match:
        return port
    if port and port != (match[1] or "80"):
        raise SetupError(
            f"PORT is {port}, but APP_URL is {match[0]}. Clever sends users to APP_URL, so make "
            "both ports the same."
        )
    return match[1] or "80"


def development_key(folder: Path) -> str:
    """Returns this folder's random key, stored so that sessions survive a restart."""
    path = folder / "instance" / "dev-secret-key"
    with contextlib.suppress(FileNotFoundError):
        key = path.read_text(encoding="utf-8").strip()
        if len(key) >= SHORTEST_KEY:
            return key
        path.unlink()  # the write was interrupted
    return _write_key(path)


def _write_key(path: Path) -> str:
    key = secrets.token_urlsafe(48)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{key}\n")
    return key
