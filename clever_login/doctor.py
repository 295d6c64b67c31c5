"""`python -m clever_login.doctor`: looks at everything a login needs, and says what to do.

It reads the environment by itself, so that it works where the app does not even start.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from queue import Empty, Queue

import click

from clever_login.checks import clever, database, files, hosting, setup, storage, texts
from clever_login.checks.case import Case, open_case
from clever_login.checks.findings import Finding, Outcome, fault, not_tried, stopped, worst
from clever_login.checks.visit import Visit
from clever_login.terminal import say, say_json

CALLS = 0.8  # of the time of a check is for its calls, so that it can still say what it found


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check, the variables and the other checks without which it makes no sense."""

    name: str
    run: Callable[[Case, Visit], Iterator[Finding]]
    needs: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    asks_clever: bool = False


def _here(name: str, run: Callable[[Case], Iterator[Finding]], *needs: str) -> Check:
    return Check(name=name, run=lambda case, _visit: run(case), needs=frozenset(needs))


def _at_clever(
    name: str, run: Callable[[Case, Visit], Iterator[Finding]], *needs: str, after: str = ""
) -> Check:
    return Check(
        name=name,
        run=run,
        needs=frozenset({"CLEVER_URL", "CLEVER_CA_BUNDLE", *needs}),
        after=frozenset(after.split(", ")),
        asks_clever=True,
    )


APP = ("CLEVER_CLIENT_ID", "CLEVER_CLIENT_SECRET")
DATA = ("CLEVER_API_URL", "CLEVER_API_VERSION")
LOGIN, READ = "Clever's login", "Clever's login, Clever's data, credentials"

CHECKS = (
    _here("settings", setup.settings),
    _here("secret key", setup.secret_key, "SECRET_KEY", "SECRET_KEY_FALLBACKS"),
    _here("mode", setup.mode, "APP_ENV", "APP_URL"),
    _here("redirect URI", setup.redirect_uri, "APP_URL", "APP_ENV"),
    _here("API version", setup.api_version, "CLEVER_API_VERSION"),
    _here("kind of app", setup.kind_of_app, "CLEVER_LIBRARY", "CLEVER_OIDC", "CLEVER_DISTRICT_IDS"),
    _here("store", storage.store, "REDIS_URL", "REDIS_TLS_VERIFY"),
    _here("database", database.database, "DATABASE_URL"),
    _here("file permissions", files.permissions),
    _here("languages", texts.languages),
    _here("proxies", hosting.proxies, "TRUSTED_PROXIES", "APP_URL"),
    _here("way out", hosting.way_out),
    _here("certificates", hosting.certificates, "CLEVER_CA_BUNDLE"),
    _at_clever(LOGIN, clever.login_reached),
    _at_clever("Clever's data", clever.data_reached, *DATA),
    _at_clever("clock", clever.clock, after=LOGIN),
    _at_clever("credentials", clever.credentials, *APP, after=LOGIN),
    _at_clever("districts", clever.districts, *APP, *DATA, after=READ),
    _at_clever("tier", clever.tier, *APP, *DATA, after=READ),
    _at_clever(
        "redirect URI, tried", clever.authorization, "CLEVER_CLIENT_ID", "APP_URL", after=LOGIN
    ),
)


def examine(case: Case, *, offline: bool, patience: float) -> Iterator[Finding]:
    """Everything that was found, as it is found; no check stops another."""
    visit, failed = Visit(case, patience * CALLS), set[str]()
    for check in CHECKS:
        if check.asks_clever and offline:
            continue
        wrong = sorted(check.needs & case.faulty)
        before = sorted(check.after & failed)
        if wrong:
            found = [not_tried(check.name, wrong)]
        elif before:
            found = [not_tried(check.name, before)]
        else:
            found = _bounded(check, case, visit, patience)
        if stopped(found):
            failed.add(check.name)
        yield from found


def _bounded(check: Check, case: Case, visit: Visit, seconds: float) -> list[Finding]:
    """Run a check in a thread of its own, which is left behind when it takes too long."""
    ended: Queue[list[Finding]] = Queue()

    def run() -> None:
        try:
            ended.put([*check.run(case, visit)])
        except Exception as error:  # noqa: BLE001 # whatever it is, the other checks go on
            says = f"The check itself failed ({type(error).__name__})."
            ended.put([fault(check.name, says, "Tell those who look after the app's code.")])

    threading.Thread(target=run, daemon=True).start()
    try:
        return ended.get(timeout=seconds)
    except Empty:
        says = f"There was no end to it in {seconds:g} s."
        return [fault(check.name, says, "Look at this machine's network and DNS; try again.")]


def as_text(finding: Finding) -> list[str]:
    """A finding as lines for a terminal, unbroken, so that an address can be copied."""
    text = f"{finding.outcome:<8} {finding.name}: {finding.says}"
    return [text, f"         Do: {finding.do}"] if finding.do else [text]


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.option("--offline", is_flag=True, help="Leave out what needs Clever.")
@click.option("--patience", type=click.FloatRange(1, 60), default=10, help="Seconds for a check.")
def doctor(as_json: bool, offline: bool, patience: float) -> None:
    """Look at everything that a login needs, and say what to do; no secret is shown.

    The exit code is 1 when there is a fault.
    """
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # quotes paths and headers
    found = []
    for each in examine(open_case(os.environ), offline=offline, patience=patience):
        found.append(each)
        if not as_json:
            for line in as_text(each):
                say(line)
    outcome = worst(found)
    if as_json:
        checks = [asdict(each) for each in found]
        say_json({"checks": checks, "outcome": outcome}, indent=2)
    else:
        say("")
        say(_summary(found, offline=offline))
    sys.exit(1 if outcome is Outcome.FAULT else 0)


def _summary(found: list[Finding], *, offline: bool) -> str:
    named = []
    for word in (Outcome.FAULT, Outcome.WARNING):
        count = sum(each.outcome is word for each in found)
        named.append(f"{count} {word}{'' if count == 1 else 's'}")
    left_out = " What needs Clever was left out." if offline else ""
    return f"{', '.join(named)}.{left_out}"


if __name__ == "__main__":
    doctor(prog_name="python -m clever_login.doctor")
