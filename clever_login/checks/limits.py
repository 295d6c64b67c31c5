"""How many connections the app may open, beside how many a server takes."""

from __future__ import annotations

from clever_login.checks.case import Case
from clever_login.checks.findings import Finding, ok, warning

DEFAULT_WORKERS = 2  # as in gunicorn.conf.py
OTHERS = 3  # the release command, a sync and the doctor


def connections(case: Case, name: str, server: str, variable: str, limit: int) -> Finding:
    """Whether this server's limit is enough for a restart, in which old and new workers overlap."""
    each = int(getattr(case.settings, variable.lower()))
    workers = _workers(case)
    needed = 2 * workers * each + OTHERS
    if needed <= limit:
        return ok(name, f"{server} takes {limit} connections; the app needs at most {needed}.")
    most = (limit - OTHERS) // (2 * workers)
    do = f"Set {variable} to {most}" if most >= 1 else "Set WEB_CONCURRENCY to fewer workers"
    return warning(
        name,
        f"{server} takes {limit} connections. During a restart this app may need {needed}: "
        f"{variable} ({each}) for each of {workers} old and {workers} new workers, and {OTHERS} "
        "for a release, a sync and the doctor. Each further machine needs as many again.",
        f"{do}, or take a plan with more connections.",
    )


def _workers(case: Case) -> int:
    given = case.environ.get("WEB_CONCURRENCY", "").strip()
    return int(given) if given.isdecimal() and int(given) else DEFAULT_WORKERS
