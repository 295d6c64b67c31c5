"""The app and the simulator under bin/dev, restarted when their files or .env change."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time

from tools.app_files import app_files, changed_files, remove_bytecode, stamp
from tools.dev_plan import Plan, make_plan
from tools.dev_status import RunningPlan
from tools.processes import Child, Children
from tools.terminal import SetupError, say
from tools.venv import ROOT

START_S = 60.0
SETTLE_S = 2.0
DOTENV = ROOT / ".env"
SERVE = str(ROOT / "tools" / "dev_server.py")
SYNC = ("-m", "flask", "--app", "app", "clever", "sync")


class Running:
    """The processes that one bin/dev has started.

    bin/dev opens the app's port itself and keeps it open. A page that is loaded while the app
    restarts waits for the new process instead of being refused.
    """

    def __init__(
        self, plan: Plan, dotenv: str, python: str, children: Children, published: RunningPlan
    ) -> None:
        self._plan = plan
        self._dotenv = dotenv  # the stamp of the .env that the plan is based on
        self._children = children
        self._python = python
        self._published = published
        self._files = app_files(ROOT)
        self._listener = _listen(plan.port)
        self._app: Child | None = None
        self._simulator: Child | None = None
        self._simulator_arguments: list[str] = []  # empty if none runs

    def start(self) -> str:
        """Starts everything and returns the greeting.

        Raises SetupError if something does not start.
        """
        self._start_simulator(self._plan)
        self._start_app("--exit-when-broken")
        self._wait_until_ready(self._plan)
        return self._plan.greeting(ROOT)

    def check(self) -> None:
        """Restarts what has changed. Raises SetupError if a program has stopped by itself."""
        self._complain_of_stopped()
        dotenv = stamp(DOTENV)
        if dotenv != self._dotenv:
            self._dotenv = dotenv
            self._read_dotenv()
        files = app_files(ROOT)
        if files != self._files:
            self._restart_for(files)

    def _restart_for(self, files: dict[str, str]) -> None:
        """Restarts the app once the files stop changing, because a checkout changes many."""
        old_files, deadline = self._files, time.monotonic() + SETTLE_S
        while files != self._files and time.monotonic() < deadline:
            self._files = files
            time.sleep(0.05)
            files = app_files(ROOT)
        names = changed_files(old_files, self._files)
        if names:
            others_note = f" and {len(names) - 1} more" if len(names) > 1 else ""
            say(f"Changed: {names[0]}{others_note}. The app restarts.")
            self._stop_app()
            remove_bytecode(ROOT, names)
            self._start_app()

    def _read_dotenv(self) -> None:
        """Applies a changed .env. While it has an error, nothing changes."""
        old_plan = self._plan
        try:
            plan = make_plan(ROOT, old_plan)
        except SetupError as error:
            say(f"{error}\nUntil you fix .env, bin/dev keeps using the previous variables.")
            return
        if plan == old_plan:
            say("Changed: .env. No variable has a new value, so nothing restarts.")
            return
        say("Changed: .env. The app restarts.")
        try:
            self._apply(plan, old_plan)
        except SetupError as error:
            say(f"{error}\nbin/dev tries again when .env changes.")
            if self._simulator and self._simulator.exit_code is not None:
                self._stop_simulator()

    def _apply(self, plan: Plan, old_plan: Plan) -> None:
        if plan.port != old_plan.port:
            listener, self._listener = self._listener, _listen(plan.port)
            listener.close()
        self._plan = plan
        self._stop_app()
        self._start_app()
        if _simulator_of(plan) != self._simulator_arguments:
            self._stop_simulator()
            self._start_simulator(plan)
            self._wait_until_ready(plan)
        self._published.write(plan)
        if plan.greeting(ROOT) != old_plan.greeting(ROOT):
            say(plan.greeting(ROOT))

    def _start_simulator(self, plan: Plan) -> None:
        self._simulator_arguments = _simulator_of(plan)
        if self._simulator_arguments:
            command = [self._python, *self._simulator_arguments]
            self._simulator = self._children.start("the simulator", command, plan.variables)

    def _stop_simulator(self) -> None:
        self._simulator_arguments = []
        if self._simulator:
            self._children.stop_one(self._simulator)
            self._simulator = None

    def _stop_app(self) -> None:
        if self._app:
            self._children.stop_one(self._app)
            self._app = None

    def _start_app(self, *options: str) -> None:
        descriptor = self._listener.fileno()
        command = [self._python, SERVE, str(descriptor), str(self._plan.port), *options]
        environ = self._plan.app_environment(ROOT)
        self._app = self._children.start("the app", command, environ, pass_fds=(descriptor,))

    def _wait_until_ready(self, plan: Plan) -> None:
        """Returns when everything responds and the simulator's rosters are synced."""
        waiting = {"the app": ("localhost", plan.port, "/healthz")}
        if plan.simulator_port:
            waiting["the simulator"] = ("127.0.0.1", plan.simulator_port, "/")
        deadline = time.monotonic() + START_S
        while waiting:
            self._complain_of_stopped()
            waiting = {name: address for name, address in waiting.items() if not _answers(*address)}
            if waiting and time.monotonic() > deadline:
                raise SetupError(
                    f"No answer from {next(iter(waiting))} within {START_S:.0f} s. Fix the "
                    "errors that it printed above."
                )
            time.sleep(0.05 if waiting else 0)
        self._published.write(plan)
        if plan.simulator_port:
            self._sync(plan)

    def _sync(self, plan: Plan) -> None:
        """Syncs the simulator's rosters, so that users see their classes.

        A failure is ignored: the app may keep no rosters, or still have those of an earlier sync.
        """
        environ = plan.app_environment(ROOT)
        command = [self._python, *SYNC]
        subprocess.run(command, cwd=str(ROOT), env=environ, capture_output=True, check=False)

    def _complain_of_stopped(self) -> None:
        for child in self._children:
            if child.exit_code is not None:
                raise SetupError(
                    f"bin/dev stops, because {child.name} exited with code {child.exit_code}. "
                    f"Fix the errors that {child.name} printed above."
                )


def _simulator_of(plan: Plan) -> list[str]:
    """Returns the arguments of the plan's simulator, or an empty list if it has none."""
    return plan.simulator_arguments() if plan.simulator_port else []


def _listen(port: int) -> socket.socket:
    """Opens a port on 127.0.0.1, where browsers find `localhost`."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise SetupError(
            f"Another program has just taken port {port}. Choose another port."
        ) from error
    return listener


def _answers(host: str, port: int, path: str) -> bool:
    """Whether there is any HTTP response."""
    connection = http.client.HTTPConnection(host, port, timeout=5)  # uses no proxy
    try:
        connection.request("GET", path)
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
