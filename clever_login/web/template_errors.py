"""A page for developers about a template that cannot be rendered. Never shown in production."""

from __future__ import annotations

import linecache
import traceback
from pathlib import Path

from jinja2 import TemplateError, TemplateSyntaxError
from markupsafe import escape

PAGE_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>A template is broken</title></head>
<body><main><h1>A template is broken</h1>
<pre>{place}: {says}

{line}</pre>
<p>Fix the template, save it, and reload this page. In production, users see an error page.</p>
</main></body></html>
"""


def render_template_error(error: TemplateError, root: Path) -> str:
    """Return a page with the template's file (relative to `root`), line, error, and source line."""
    file, number = _error_location(error, root)
    message = f"{error.message}" if error.message else type(error).__name__
    if not isinstance(error, TemplateSyntaxError):
        message = f"{type(error).__name__}: {message}"
    line = linecache.getline(str(root / file), number).strip()
    return PAGE_TEMPLATE.format(
        place=escape(f"{file}, line {number}"), says=escape(message), line=escape(line)
    )


def _error_location(error: TemplateError, root: Path) -> tuple[str, int]:
    """Return the line of a syntax error, or the last line of the project in the traceback."""
    if isinstance(error, TemplateSyntaxError) and error.filename:
        return _relative_path(error.filename, root), error.lineno
    frames = [
        (_relative_path(frame.filename, root), frame.lineno or 0)
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    ours = [
        frame
        for frame in frames
        if not Path(frame[0]).is_absolute() and "site-packages" not in frame[0]
    ]
    return (ours or frames or [("an unknown file", 0)])[-1]


def _relative_path(file: str, root: Path) -> str:
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file
