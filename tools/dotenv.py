"""Reads a .env file: KEY=VALUE lines with quotes, comments and `export`."""

from __future__ import annotations

import re
from pathlib import Path

from tools.terminal import SetupError

LINE = re.compile(
    r"""^\s*(?:export\s+)?(?P<key>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>(?:[^\s'"\#]|(?<=\S).)*?))
    \s*(?:(?<=\s)\#.*)?$""",
    re.VERBOSE,
)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def read_dotenv(path: Path) -> dict[str, str]:
    """Returns the variables of a .env file. Empty if there is no such file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{path.name} cannot be read. Make it a readable UTF-8 file.") from error
    lines = enumerate(text.splitlines(), start=1)
    return dict(_parse(path, number, line) for number, line in lines if _says_something(line))


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _parse(path: Path, number: int, line: str) -> tuple[str, str]:
    match = LINE.match(line)
    if not match:  # do not show the line, because it may contain a secret
        raise SetupError(f"Line {number} of {path.name} is not KEY=VALUE. Correct or remove it.")
    return match["key"], _value(match)


def _value(match: re.Match[str]) -> str:
    if match["single"] is not None:
        return match["single"]
    if match["double"] is not None:
        return re.sub(r"\\(.)", lambda escape: ESCAPES.get(escape[1], escape[1]), match["double"])
    return match["plain"] or ""
