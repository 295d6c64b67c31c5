"""`python -m clever_login.doctor`: checks everything a login needs, and says what to do.

It reads the environment without the app, so it works even if the app does not start.
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

from clever_login.doctor import (
    check_clever,
    check_database,
    check_hosting,
    check_settings,
    check_storage,
)
from clever_login.doctor.clever_probe import CleverProbe
from clever_login.doctor.environment import DoctorEnvironment, read_environment
from clever_login.doctor.findings import (
    Finding,
    Outcome,
    blocks_dependents,
    failure,
    skipped,
    worst_outcome,
)
from clever_login.safe_output import echo, echo_json

CALL_TIME_SHARE = 0.8  # share of a check's time for its calls; the rest is for its findings


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check, with the variables and other checks that it depends on."""

    name: str
    run: Callable[[DoctorEnvironment, CleverProbe], Iterator[Finding]]
    needs: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    asks_clever: bool = False


def _local_check(
    name: str, run: Callable[[DoctorEnvironment], Iterator[Finding]], *needs: str
) -> Check:
    return Check(name=name, run=lambda case, _visit: run(case), needs=frozenset(needs))


def _clever_check(
    name: str,
    run: Callable[[DoctorEnvironment, CleverProbe], Iterator[Finding]],
    *needs: str,
    after: str = "",
) -> Check:
    return Check(
        name=name,
        run=run,
        needs=frozenset({"CLEVER_URL", "CLEVER_CA_BUNDLE", *needs}),
        after=frozenset(after.split(", ")),
        asks_clever=True,
    )


CREDENTIAL_VARIABLES = ("CLEVER_CLIENT_ID", "CLEVER_CLIENT_SECRET")
DATA_API_VARIABLES = ("CLEVER_API_URL", "CLEVER_API_VERSION")
LOGIN_CHECK, READ_CHECKS = "Clever's login", "Clever's login, Clever's data, credentials"

CHECKS = (
    _local_check("settings", check_settings.check_variables),
    _local_check(
        "secret key", check_settings.check_secret_key, "SECRET_KEY", "SECRET_KEY_FALLBACKS"
    ),
    _local_check("mode", check_settings.check_app_env, "APP_ENV", "APP_URL"),
    _local_check("redirect URI", check_settings.check_redirect_uri, "APP_URL", "APP_ENV"),
    _local_check("API version", check_settings.check_api_version, "CLEVER_API_VERSION"),
    _local_check(
        "app type",
        check_settings.check_library_settings,
        "CLEVER_LIBRARY",
        "CLEVER_OIDC",
        "CLEVER_DISTRICT_IDS",
    ),
    _local_check("store", check_storage.check_store, "REDIS_URL", "REDIS_TLS_VERIFY"),
    _local_check("database", check_database.check_connection_and_tables, "DATABASE_URL"),
    _local_check("file permissions", check_storage.check_file_permissions),
    _local_check("languages", check_settings.check_catalogs),
    _local_check("proxies", check_hosting.check_proxies, "TRUSTED_PROXIES", "APP_URL"),
    _local_check("outgoing proxy", check_hosting.check_outgoing_variables),
    _local_check("certificates", check_hosting.check_ca_bundle, "CLEVER_CA_BUNDLE"),
    _clever_check(LOGIN_CHECK, check_clever.check_login_host),
    _clever_check("Clever's data", check_clever.check_data_host, *DATA_API_VARIABLES),
    _clever_check("clock", check_clever.check_clock, after=LOGIN_CHECK),
    _clever_check(
        "credentials", check_clever.check_credentials, *CREDENTIAL_VARIABLES, after=LOGIN_CHECK
    ),
    _clever_check(
        "districts",
        check_clever.check_districts,
        *CREDENTIAL_VARIABLES,
        *DATA_API_VARIABLES,
        after=READ_CHECKS,
    ),
    _clever_check(
        "tier",
        check_clever.check_tier,
        *CREDENTIAL_VARIABLES,
        *DATA_API_VARIABLES,
        after=READ_CHECKS,
    ),
    _clever_check(
        "redirect URI at Clever",
        check_clever.check_authorization_request,
        "CLEVER_CLIENT_ID",
        "APP_URL",
        after=LOGIN_CHECK,
    ),
)


def run_checks(case: DoctorEnvironment, *, offline: bool, patience: float) -> Iterator[Finding]:
    """Run the checks and yield their findings as they come. A failing check stops no other check.

    `patience` is the time limit of each check in seconds. `offline` skips checks that call Clever.
    """
    visit, failed = CleverProbe(case, patience * CALL_TIME_SHARE), set[str]()
    for check in CHECKS:
        if check.asks_clever and offline:
            continue
        wrong = sorted(check.needs & case.faulty)
        before = sorted(check.after & failed)
        if wrong:
            found = [skipped(check.name, wrong)]
        elif before:
            found = [skipped(check.name, before)]
        else:
            found = _run_with_timeout(check, case, visit, patience)
        if blocks_dependents(found):
            failed.add(check.name)
        yield from found


def _run_with_timeout(
    check: Check, case: DoctorEnvironment, visit: CleverProbe, seconds: float
) -> list[Finding]:
    """Run a check in its own thread, which is abandoned if it takes longer than `seconds`."""
    ended: Queue[list[Finding]] = Queue()

    def run() -> None:
        try:
            ended.put([*check.run(case, visit)])
        except Exception as error:  # noqa: BLE001 # the other checks still run
            says = f"The check itself failed ({type(error).__name__})."
            ended.put([failure(check.name, says, "Report this to the developers of this app.")])

    threading.Thread(target=run, daemon=True).start()
    try:
        return ended.get(timeout=seconds)
    except Empty:
        says = f"The check did not finish within {seconds:g} s."
        return [failure(check.name, says, "Check this machine's network and DNS, then try again.")]


def format_finding(finding: Finding) -> list[str]:
    """Return a finding as lines for a terminal, not wrapped, so that addresses can be copied."""
    text = f"{finding.outcome:<8} {finding.name}: {finding.says}"
    return [text, f"         Do: {finding.do}"] if finding.do else [text]


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option("--offline", is_flag=True, help="Skip the checks that call Clever.")
@click.option(
    "--patience",
    type=click.FloatRange(1, 60),
    default=10,
    help="Time limit of each check, in seconds.",
)
def doctor(as_json: bool, offline: bool, patience: float) -> None:
    """Check everything a login needs, and say what to do. No secret is shown.

    The exit code is 1 if there is a fault.
    """
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # urllib3 logs paths and headers
    found = []
    for each in run_checks(read_environment(os.environ), offline=offline, patience=patience):
        found.append(each)
        if not as_json:
            for line in format_finding(each):
                echo(line)
    outcome = worst_outcome(found)
    if as_json:
        checks = [asdict(each) for each in found]
        echo_json({"checks": checks, "outcome": outcome}, indent=2)
    else:
        echo("")
        echo(_summarize(found, offline=offline))
    sys.exit(1 if outcome is Outcome.FAULT else 0)


def _summarize(found: list[Finding], *, offline: bool) -> str:
    named = []
    for word in (Outcome.FAULT, Outcome.WARNING):
        count = sum(each.outcome is word for each in found)
        named.append(f"{count} {word}{'' if count == 1 else 's'}")
    left_out = " The checks that call Clever were skipped." if offline else ""
    return f"{', '.join(named)}.{left_out}"
