"""Writes docs/errors.md from the texts and hints of clever_login/web.

Run `.venv-test/bin/python -m docs.write_errors`.
"""

from __future__ import annotations

from pathlib import Path

from clever_login.web.messages.error_messages import ADULT_MESSAGES, CHILD_MESSAGES
from clever_login.web.messages.operator_hints import OPERATOR_HINTS

PAGE = Path(__file__).parent / "errors.md"
HEAD = """# Errors

This page is for operators and for people who answer support requests. After reading it, you know
what each error code means, what the user saw, and what to do.

Each error page shows a reference, such as `K7Q-2MX`, and a code. Search the app's log for the
reference: the log line has the code and the reason. Students see one short text. Teachers open "For
your teacher", which says what they can do, and how to reach the support that `SUPPORT_EMAIL` and
`SUPPORT_URL` name. With `APP_ENV=development`, the page also shows the hint of the last column.

| code | what a student sees | what a teacher reads | what an operator does |
|---|---|---|---|
"""


def main() -> None:
    """Writes the page."""
    PAGE.write_text(text(), encoding="utf-8")


def text() -> str:
    """Returns the whole page."""
    return HEAD + "".join(_row(code) for code in CHILD_MESSAGES)


def _row(code: str) -> str:
    page, adults = CHILD_MESSAGES[code], ADULT_MESSAGES[code]
    student = f"{_english(page.title)}. {_english(page.text)}"
    return f"| `{code}` | {student} | {_english(adults.cause)} | {OPERATOR_HINTS[code]} |\n"


def _english(text: object) -> str:
    """Returns the text of the code, outside of a request and its language."""
    return str(text)


if __name__ == "__main__":
    main()
