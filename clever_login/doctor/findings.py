"""What a check found, in words for the person who has to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

NOT_TRIED_MESSAGE = "Not checked."


class Outcome(StrEnum):
    """How severe a finding is. A fault stops logins; a warning might."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One sentence on what was found, and one on what to do, if anything."""

    name: str
    outcome: Outcome
    message: str
    fix: str = ""


def ok(name: str, message: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(name=name, outcome=Outcome.OK, message=message)


def warning(name: str, message: str, fix: str) -> Finding:
    """Return a finding to look into: logins work, or may work."""
    return Finding(name=name, outcome=Outcome.WARNING, message=message, fix=fix)


def failure(name: str, message: str, fix: str) -> Finding:
    """Return a finding for a fault: logins fail, or user data is not safe."""
    return Finding(name=name, outcome=Outcome.FAULT, message=message, fix=fix)


def skipped(name: str, failed: Iterable[str]) -> Finding:
    """Return a finding for a check not run because of the faults in `failed`."""
    return warning(name, NOT_TRIED_MESSAGE, f"Fix {' and '.join(failed)} first.")


def blocks_dependents(findings: Iterable[Finding]) -> bool:
    """Return whether checks that depend on these findings should be skipped."""
    return any(
        finding.outcome is Outcome.FAULT or finding.message == NOT_TRIED_MESSAGE
        for finding in findings
    )


def worst_outcome(findings: Iterable[Finding]) -> Outcome:
    """Return the most severe outcome."""
    outcomes = {finding.outcome for finding in findings}
    return next(
        (outcome for outcome in (Outcome.FAULT, Outcome.WARNING) if outcome in outcomes), Outcome.OK
    )
