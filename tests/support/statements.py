"""The sentences of SECURITY.md and PRIVACY.md, and the tests that docs/statements.md names."""

from __future__ import annotations

import re
from collections.abc import Iterator

LEFT_OUT = re.compile(
    r"^```.*?^```$|^#[^\n]*$|^\| `clever_[^\n]*$|^\|[-|]+\|$", re.MULTILINE | re.DOTALL
)
END_OF_SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z`*\"\[])")


def sentences(text: str) -> Iterator[str]:
    """Yield each sentence of a page, without headings, commands, and the table of columns.

    A row of a table is one sentence.
    """
    for paragraph in re.split(r"\n\n|\n(?=- )|\n(?=\|)", LEFT_OUT.sub("", text)):
        if paragraph.startswith("|"):
            yield "; ".join(cell.strip() for cell in paragraph.strip().strip("|").split("|"))
            continue
        words = " ".join(paragraph.split()).removeprefix("- ")
        yield from (sentence for sentence in END_OF_SENTENCE.split(words) if sentence)
