"""What a check has found, in words for whoever must mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

NOT_TRIED_MESSAGE = "Not tried."


class Outcome(StrEnum):
    """How bad it is; a fault stops logins, a warning may."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One sentence on what is so, and one on what to do where something is to be done."""

    name: str
    outcome: Outcome
    says: str
    do: str = ""


def ok(name: str, says: str) -> Finding:
    """Nothing to do."""
    return Finding(name=name, outcome=Outcome.OK, says=says)


def warning(name: str, says: str, do: str) -> Finding:
    """Logins work, or may work, and somebody should look."""
    return Finding(name=name, outcome=Outcome.WARNING, says=says, do=do)


def failure(name: str, says: str, do: str) -> Finding:
    """Logins fail, or people are not safe."""
    return Finding(name=name, outcome=Outcome.FAULT, says=says, do=do)


def skipped(name: str, first: Iterable[str]) -> Finding:
    """What could not be looked at because of something that is wrong."""
    return warning(name, NOT_TRIED_MESSAGE, f"First mend {' and '.join(first)}.")


def blocks_dependents(findings: Iterable[Finding]) -> bool:
    """Whether what stands on these findings need not be tried."""
    return any(each.outcome is Outcome.FAULT or each.says == NOT_TRIED_MESSAGE for each in findings)


def worst_outcome(findings: Iterable[Finding]) -> Outcome:
    """The outcome of them all."""
    found = {each.outcome for each in findings}
    return next((each for each in (Outcome.FAULT, Outcome.WARNING) if each in found), Outcome.OK)
