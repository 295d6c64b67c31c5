"""`python -m clever_login.doctor`: checks everything a login needs, and says what to do.

It reads the environment without the app, so it works even if the app does not start.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, Queue

import click

from clever_login.doctor import (
    check_clever,
    check_database,
    check_hosting,
    check_settings,
    check_storage,
)
from clever_login.doctor.app_source import find_url_prefix
from clever_login.doctor.clever_probe import CleverProbe
from clever_login.doctor.environment import DoctorEnvironment, app_folder, read_environment
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
    variables: frozenset[str] = frozenset()
    prerequisites: frozenset[str] = frozenset()
    calls_clever: bool = False


def _local_check(
    name: str, run: Callable[[DoctorEnvironment], Iterator[Finding]], *variables: str
) -> Check:
    return Check(
        name=name, run=lambda environment, _probe: run(environment), variables=frozenset(variables)
    )


def _clever_check(
    name: str,
    run: Callable[[DoctorEnvironment, CleverProbe], Iterator[Finding]],
    *variables: str,
    prerequisites: str = "",
) -> Check:
    return Check(
        name=name,
        run=run,
        variables=frozenset({"CLEVER_URL", "CLEVER_CA_BUNDLE", *variables}),
        prerequisites=frozenset(prerequisites.split(", ")),
        calls_clever=True,
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
    _local_check("support", check_settings.check_support, "SUPPORT_EMAIL", "SUPPORT_URL"),
    _local_check("redirect URI", check_settings.check_redirect_uri, "APP_URL", "APP_ENV"),
    _local_check("API version", check_settings.check_api_version, "CLEVER_API_VERSION"),
    _local_check(
        "app type",
        check_settings.check_library_settings,
        "CLEVER_LIBRARY",
        "CLEVER_OIDC",
        "CLEVER_DISTRICT_IDS",
    ),
    _local_check(
        "store", check_storage.check_store, "REDIS_URL", "REDIS_TLS_VERIFY", "DATABASE_URL"
    ),
    _local_check("database", check_database.check_connection_and_tables, "DATABASE_URL"),
    _local_check("file permissions", check_storage.check_file_permissions),
    _local_check("languages", check_settings.check_catalogs),
    _local_check("templates", check_settings.check_templates),
    _local_check("proxies", check_hosting.check_proxies, "TRUSTED_PROXIES", "APP_URL"),
    _local_check("outgoing proxy", check_hosting.check_outgoing_variables),
    _local_check("certificates", check_hosting.check_ca_bundle, "CLEVER_CA_BUNDLE"),
    _clever_check(LOGIN_CHECK, check_clever.check_login_host),
    _clever_check("Clever's data", check_clever.check_data_host, *DATA_API_VARIABLES),
    _clever_check("clock", check_clever.check_clock, prerequisites=LOGIN_CHECK),
    _clever_check(
        "credentials",
        check_clever.check_credentials,
        *CREDENTIAL_VARIABLES,
        prerequisites=LOGIN_CHECK,
    ),
    _clever_check(
        "API version at Clever",
        check_clever.check_version,
        *CREDENTIAL_VARIABLES,
        *DATA_API_VARIABLES,
        prerequisites=READ_CHECKS,
    ),
    _clever_check(
        "districts",
        check_clever.check_districts,
        *CREDENTIAL_VARIABLES,
        *DATA_API_VARIABLES,
        prerequisites=READ_CHECKS,
    ),
    _clever_check(
        "tier",
        check_clever.check_tier,
        *CREDENTIAL_VARIABLES,
        *DATA_API_VARIABLES,
        prerequisites=READ_CHECKS,
    ),
    _clever_check(
        "OpenID Connect",
        check_clever.check_openid_connect,
        "CLEVER_OIDC",
        prerequisites=LOGIN_CHECK,
    ),
    _clever_check(
        "redirect URI at Clever",
        check_clever.check_authorization_request,
        "CLEVER_CLIENT_ID",
        "APP_URL",
        prerequisites=LOGIN_CHECK,
    ),
)


def run_checks(
    environment: DoctorEnvironment, *, offline: bool, timeout_seconds: float
) -> Iterator[Finding]:
    """Run the checks and yield their findings as they come. A failing check stops no other check.

    `timeout_seconds` limits each check. `offline` skips checks that call Clever.
    """
    probe, failed = CleverProbe(environment, timeout_seconds * CALL_TIME_SHARE), set[str]()
    for check in CHECKS:
        if check.calls_clever and offline:
            continue
        invalid = sorted(check.variables & environment.invalid_variables)
        failed_prerequisites = sorted(check.prerequisites & failed)
        if invalid:
            findings = [skipped(check.name, invalid)]
        elif failed_prerequisites:
            findings = [skipped(check.name, failed_prerequisites)]
        else:
            findings = _run_with_timeout(check, environment, probe, timeout_seconds)
        if blocks_dependents(findings):
            failed.add(check.name)
        yield from findings


def _run_with_timeout(
    check: Check, environment: DoctorEnvironment, probe: CleverProbe, seconds: float
) -> list[Finding]:
    """Run a check in its own thread, which is abandoned if it takes longer than `seconds`."""
    results: Queue[list[Finding]] = Queue()

    def run() -> None:
        try:
            results.put([*check.run(environment, probe)])
        except Exception as error:  # noqa: BLE001 # the other checks still run
            message = f"The check itself failed ({type(error).__name__})."
            results.put(
                [failure(check.name, message, "Report this to the developers of this app.")]
            )

    threading.Thread(target=run, daemon=True).start()
    try:
        return results.get(timeout=seconds)
    except Empty:
        message = f"The check did not finish within {seconds:g} s."
        return [
            failure(check.name, message, "Check this machine's network and DNS, then try again.")
        ]


def format_finding(finding: Finding) -> list[str]:
    """Return a finding as lines for a terminal, not wrapped, so that addresses can be copied."""
    text = f"{finding.outcome:<8} {finding.name}: {finding.message}"
    return [text, f"         Do: {finding.fix}"] if finding.fix else [text]


def doctor_command(url_prefix: Callable[[], str | None]) -> click.Command:
    """Return the command. `url_prefix` returns that of CleverLogin, None if it is unknown."""

    @click.command("doctor")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
    @click.option("--offline", is_flag=True, help="Skip the checks that call Clever.")
    @click.option(
        "--timeout",
        type=click.FloatRange(1, 60),
        default=10,
        help="Time limit of each check, in seconds.",
    )
    def doctor(as_json: bool, offline: bool, timeout: float) -> None:
        """Check everything a login needs, and say what to do. No secret is shown.

        The exit code is 1 if there is a fault.
        """
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # urllib3 logs paths and headers
        environment = read_environment(os.environ, url_prefix())
        findings = run_checks(environment, offline=offline, timeout_seconds=timeout)
        outcome = _print_findings(findings, as_json=as_json, offline=offline)
        sys.exit(1 if outcome is Outcome.FAULT else 0)

    return doctor


def _print_findings(findings: Iterator[Finding], *, as_json: bool, offline: bool) -> Outcome:
    """Print the findings, as text while they come. Returns the worst outcome."""
    printed = []
    for finding in findings:
        printed.append(finding)
        if not as_json:
            for line in format_finding(finding):
                echo(line)
    outcome = worst_outcome(printed)
    if as_json:
        checks = [_to_json(finding) for finding in printed]
        echo_json({"checks": checks, "outcome": outcome}, indent=2)
    else:
        echo("")
        echo(_summarize(printed, offline=offline))
    return outcome


def _to_json(finding: Finding) -> dict[str, str]:
    return {
        "name": finding.name,
        "outcome": finding.outcome,
        "says": finding.message,
        "do": finding.fix,
    }


def _summarize(findings: list[Finding], *, offline: bool) -> str:
    counts = []
    for outcome in (Outcome.FAULT, Outcome.WARNING):
        count = sum(finding.outcome is outcome for finding in findings)
        counts.append(f"{count} {outcome}{'' if count == 1 else 's'}")
    note = " The checks that call Clever were skipped." if offline else ""
    return f"{', '.join(counts)}.{note}"


# Without the app: `bin/doctor` and `python -m clever_login.doctor`.
doctor = doctor_command(lambda: find_url_prefix(app_folder()))
