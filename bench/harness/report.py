"""Writes docs/performance.md, in which each benchmark has its own section."""

from __future__ import annotations

import re
import textwrap

from tests.support.running_app import ROOT

REPORT_PATH = ROOT / "docs" / "performance.md"


def write_section(title: str, text: str) -> None:
    """Replaces the section with this title, or appends it."""
    head, *rest = re.split(r"^## ", REPORT_PATH.read_text(), flags=re.M)
    sections = dict(part.split("\n", 1) for part in rest)
    sections[title] = _wrap_paragraphs(text)
    parts = [head.strip(), *(f"## {name}\n\n{body.strip()}" for name, body in sections.items())]
    REPORT_PATH.write_text("\n\n".join(parts) + "\n")


def _wrap_paragraphs(text: str) -> str:
    """Wraps paragraphs. Tables, lists and images stay as they are."""
    parts = text.strip().split("\n\n")
    return "\n\n".join(
        part
        if part.startswith(("|", "-", "!"))
        else textwrap.fill(part, 100, break_on_hyphens=False)
        for part in parts
    )
