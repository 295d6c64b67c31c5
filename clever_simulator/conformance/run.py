"""Runs all checks against one app, and prints the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from clever_simulator.config import default_config
from clever_simulator.conformance.browser import Browser
from clever_simulator.conformance.checks import CHECKS, Check, Finding, run_check
from clever_simulator.conformance.client import App, CheckImpossible, parameter
from clever_simulator.testing import SimulatedClever

MARKS = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}


def find_redirect_uri(clever: SimulatedClever, login: str) -> tuple[str, str]:
    """Return the client ID and the redirect URI with which an app sends a browser to Clever.

    Raises CheckImpossible and AppUnreachable.
    """
    address = App(clever, login).authorization(Browser())
    client_id, uri = parameter(address, "client_id"), parameter(address, "redirect_uri")
    if not (client_id and uri):
        raise CheckImpossible(f"{login} sends the browser to Clever without a redirect_uri.")
    return client_id, uri


def check_app(app: App, checks: Iterable[Check] = CHECKS) -> Iterator[Finding]:
    """Run checks, by default all, one after another. Raises CheckImpossible and AppUnreachable.

    Without `app.page`, `log_in` must be the first.
    """
    _, app.redirect_uri = find_redirect_uri(app.clever, app.login)
    for check in checks:
        yield run_check(app, check)


def register_app(clever: SimulatedClever, login: str, secret: str) -> SimulatedClever:
    """Register the app that answers at `login` with the simulator, and return how to log in to it.

    Raises CheckImpossible and AppUnreachable.
    """
    client_id, uri = find_redirect_uri(clever, login)
    config = default_config("http://localhost")
    app = replace(config.apps[0], client_id=client_id, client_secret=secret, redirect_uris=(uri,))
    clever.simulator.configure(replace(config, apps=(app,)))
    credentials = {"CLEVER_CLIENT_ID": client_id, "CLEVER_CLIENT_SECRET": secret}
    return replace(clever, environment=clever.environment | credentials)


def describe(finding: Finding) -> str:
    """Return the line of a finding in the report."""
    return f"{MARKS[finding.outcome]}  {finding.name}. {finding.says}"
