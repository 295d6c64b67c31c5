"""Finds templates of the app that replace the library's and were made for an older version of it.

The first line of each library template is `{# clever_login 1 #}`. The number grows when the
template changes in a way that its replacements must follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

NUMBER_PATTERN = re.compile(r"\{#-? clever_login (\d+) -?#\}")
LIBRARY_FOLDER = Path(__file__).resolve().parent.parent / "templates" / "clever_login"


def outdated_overrides(template_folder: Path) -> Iterator[str]:
    """Yield the names of outdated replacements in an app's template folder.

    A replacement without a number counts as made for number 1.
    """
    for path in sorted((template_folder / "clever_login").glob("*.html")):
        original = LIBRARY_FOLDER / path.name
        if original.is_file() and _number(path) < _number(original):
            yield path.name


def _number(path: Path) -> int:
    with path.open(encoding="utf-8") as file:
        match = NUMBER_PATTERN.match(file.readline())
    return int(match[1]) if match else 1
