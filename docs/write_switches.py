"""Writes the table of switches in the simulator's README from clever_simulator/switches.py.

Run `.venv-test/bin/python -m docs.write_switches`.
"""

from __future__ import annotations

import re
from pathlib import Path

from clever_simulator.switches import Switch, all_switches, format_value

PAGE = Path(__file__).parent.parent / "clever_simulator" / "README.md"
HEAD = "| question | switch | value | behavior of the simulator |\n|---|---|---|---|\n"
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")


def main() -> None:
    """Writes the page."""
    PAGE.write_text(text(), encoding="utf-8")


def text() -> str:
    """Returns the whole page with a new table."""
    rows = "".join(line for switch in all_switches() for line in _lines(switch))
    return _TABLE.sub(lambda _: HEAD + rows, PAGE.read_text(encoding="utf-8"), count=1)


def _lines(switch: Switch) -> list[str]:
    cells = [switch.question, f"`{switch.name}`"]
    lines = []
    for value, behavior in switch.behaviors.items():
        lines.append("| " + " | ".join([*cells, f"`{format_value(value)}`", behavior]) + " |\n")
        cells = ["", ""]
    return lines


if __name__ == "__main__":
    main()
