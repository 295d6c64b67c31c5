"""Checks of the languages that the pages speak."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clever_login.catalogs import Catalogs
from clever_login.checks.case import Case
from clever_login.checks.findings import Finding, fault, ok

FOLDER = Path(__file__).resolve().parent.parent.parent / "translations"  # beside app.py


def languages(_case: Case) -> Iterator[Finding]:
    """Each file of translations can be read, and breaks no page."""
    catalogs = Catalogs(FOLDER)
    faults = [*catalogs.faults()]
    for each in faults:
        yield fault("languages", each, "Correct the file; what cannot be read is shown in English.")
    if not faults:
        labels = ", ".join(each.label for each in catalogs.languages.values())
        yield ok("languages", f"The pages speak {labels}.")
