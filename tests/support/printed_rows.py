"""Rows of the tables in docs/reliability.md, printed by the tests that measure them."""

from __future__ import annotations


def print_row(situation: str, result: str) -> None:
    """Print a row of the table "The server at its limits". Pytest's option -rP shows it."""
    print(f"| {situation} | {result} |")
