"""Copies the feature's code into tutorial.md: `.venv-test/bin/python -m docs.write_tutorial`.

A comment such as `<!-- reading/work.py: create -->` names what the block below it contains: a
function, a class, or a variable of a module.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"(<!-- (\S+): (\w+) -->\n```python\n)(.*?)(```\n)", re.DOTALL)


def main() -> None:
    """Writes the page."""
    PAGE.write_text(text(), encoding="utf-8")


def text() -> str:
    """Returns the page with the code of the modules."""
    return BLOCK.sub(_with_code, PAGE.read_text(encoding="utf-8"))


def _with_code(block: re.Match[str]) -> str:
    source = (ROOT / block[2]).read_text(encoding="utf-8")
    return f"{block[1]}{_definition(source, block[3])}\n{block[5]}"


def _definition(source: str, name: str) -> str:
    """Returns the lines of a top-level definition. Raises LookupError."""
    for node in ast.parse(source).body:
        if name in _names(node) and node.end_lineno:
            decorators = getattr(node, "decorator_list", [])
            first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
            return "\n".join(source.splitlines()[first - 1 : node.end_lineno])
    raise LookupError(name)


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


if __name__ == "__main__":
    main()
