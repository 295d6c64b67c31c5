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
    says: str
    do: str = ""


def ok(name: str, says: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(name=name, outcome=Outcome.OK, says=says)


def warning(name: str, says: str, do: str) -> Finding:
    """Return a finding to look into: logins work, or may work."""
    return Finding(name=name, outcome=Outcome.WARNING, says=says, do=do)


def failure(name: str, says: str, do: str) -> Finding:
    """Return a finding for a fault: logins fail, or user data is not safe."""
    return Finding(name=name, outcome=Outcome.FAULT, says=says, do=do)


def skipped(name: str, first: Iterable[str]) -> Finding:
    """Return a finding for a check not run because of the faults in `first`."""
    return warning(name, NOT_TRIED_MESSAGE, f"Fix {' and '.join(first)} first.")


def blocks_dependents(findings: Iterable[Finding]) -> bool:
    """Return whether checks that depend on these findings should be skipped."""
    return any(each.outcome is Outcome.FAULT or each.says == NOT_TRIED_MESSAGE for each in findings)


def worst_outcome(findings: Iterable[Finding]) -> Outcome:
    """Return the most severe outcome."""
    found = {each.outcome for each in findings}
    return next((each for each in (Outcome.FAULT, Outcome.WARNING) if each in found), Outcome.OK)
