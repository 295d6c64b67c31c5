"""Tests that each row of docs/threats.md names the patches that break its protection."""

from __future__ import annotations

import re

from tests.support.running_app import ROOT

TEXT = (ROOT / "docs" / "threats.md").read_text()
TABLES = TEXT.partition("## Logins")[2].partition("## What only people can do")[0]
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in TABLES.splitlines()
    if re.match(r"\| [STRIDE] \|", line)
]


def test_each_row_has_a_patch_that_breaks_what_the_app_does() -> None:
    assert len(ROWS) > 35
    for row in ROWS:
        assert len(row) == 5, row
        assert re.fullmatch(r"`[a-z-]+`(, `[a-z-]+`)*", row[4]), row[1]
        assert row[1], row
        assert row[2], row


def test_each_named_patch_exists_and_the_tables_have_no_other_rows() -> None:
    patches = {path.stem for path in (ROOT / "tests" / "mutants").glob("*.patch")}
    named = {name for row in ROWS for name in re.findall(r"`([a-z-]+)`", row[4])}
    assert named <= patches, named - patches
    lines = [line for line in TABLES.splitlines() if line.startswith("|")]
    assert len(lines) == len(ROWS) + 2 * TABLES.count("| | threat |")


def test_every_letter_of_stride_has_a_row() -> None:
    assert {row[0] for row in ROWS} == set("STRIDE")
