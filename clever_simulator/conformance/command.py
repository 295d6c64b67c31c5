"""`clever-simulator check URL`: checks a running app from outside, and prints a report."""

from __future__ import annotations

import argparse
import sys

from clever_simulator.conformance.browser import AppUnreachable
from clever_simulator.conformance.client import App, CheckImpossible
from clever_simulator.conformance.run import check_app, describe, register_app
from clever_simulator.console import escape_unprintable
from clever_simulator.server import run_in_background
from clever_simulator.testing import SimulatedClever

EXIT_PROBLEMS, EXIT_IMPOSSIBLE = 1, 2


def check(arguments: list[str]) -> int:
    """Checks an app. Returns 0, 1 if there is a problem, or 2 if the app cannot be checked."""
    options = _parser().parse_args(arguments)
    try:
        with run_in_background(port=options.port) as simulator:
            environment = {"CLEVER_CLIENT_ID": "", "CLEVER_CLIENT_SECRET": ""}
            clever = SimulatedClever(simulator, environment)
            clever = register_app(clever, options.login, options.secret)
            return _report(App(clever, options.login, options.page, options.logout))
    except (AppUnreachable, CheckImpossible) as error:
        return _print(str(error), EXIT_IMPOSSIBLE)
    except OSError as error:
        return _print(f"The simulator cannot listen on port {options.port}: {error.strerror}.", 2)


def _report(app: App) -> int:
    problems = 0
    for finding in check_app(app):
        sys.stdout.write(escape_unprintable(describe(finding)) + "\n")
        sys.stdout.flush()
        problems += finding.outcome == "problem"
    sys.stdout.write(f"{problems} {'problem' if problems == 1 else 'problems'}.\n")
    return EXIT_PROBLEMS if problems else 0


def _print(line: str, code: int) -> int:
    sys.stderr.write(escape_unprintable(line) + "\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clever-simulator check",
        description="Checks how an app logs users in with Clever. The app must run, and use the "
        "simulator, which this command starts, instead of Clever.",
    )
    parser.add_argument("login", metavar="URL", help="the address that starts a login")
    parser.add_argument("--secret", default="simulator-secret", help="the app's client secret")
    parser.add_argument("--page", default="", metavar="URL", help="a page with the user's name")
    parser.add_argument("--logout", default="", metavar="URL", help="the address that logs out")
    parser.add_argument("--port", type=int, default=3001, help="the simulator's port")
    return parser
