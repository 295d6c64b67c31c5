"""Copies the recipes' code into recipes.md: `.venv-test/bin/python -m docs.write_recipes`.

The code is in examples/recipes/, where it is tested. The block below a link to a module is that
module.
"""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parent / "recipes.md"
MODULES = Path(__file__).parent.parent / "examples" / "recipes"
BLOCK = re.compile(
    r"(\]\(\.\./examples/recipes/(\w+)\.py\):\n\n```python\n)(.*?)(```\n)", re.DOTALL
)


def main() -> None:
    """Writes the page."""
    PAGE.write_text(text(), encoding="utf-8")


def text() -> str:
    """Returns the page with the code of the modules."""
    return BLOCK.sub(_with_module, PAGE.read_text(encoding="utf-8"))


def _with_module(block: re.Match[str]) -> str:
    module = (MODULES / f"{block[2]}.py").read_text(encoding="utf-8")
    return f"{block[1]}{module}{block[4]}"


if __name__ == "__main__":
    main()
