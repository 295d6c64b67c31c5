"""gunicorn's logs without query strings, and without forged lines or escape sequences."""

from __future__ import annotations

import logging
import traceback
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from gunicorn import glogging

from clever_login.safe_output import PlainTextFormatter, remove_queries

# The atoms that an access log format may use. None can contain a code, state, cookie, or token.
SAFE_ATOMS = ("h", "t", "s", "m", "U", "H", "b", "B", "a", "T", "D", "M", "L", "p")
SAFE_PATH_CHARACTERS = "/:@!$&'()*+,;=-._~"  # characters that are not percent-encoded in a path


def to_single_line(text: str) -> str:
    """Return the text as printable ASCII without quotes.

    Other characters are escaped as in Python.
    """
    return text.encode("unicode_escape").decode("ascii").replace('"', r"\"")


class _SingleLineAtoms(glogging.SafeAtoms):
    """The fields of a line of the access log."""

    def __init__(self, atoms: dict[str, Any]) -> None:
        super().__init__({})
        for name, value in atoms.items():
            self[name] = to_single_line(value) if isinstance(value, str) else value


class Logger(glogging.Logger):
    """gunicorn's logger, for every worker class."""

    atoms_wrapper_class = _SingleLineAtoms

    def setup(self, cfg: Any) -> None:
        """Send waitress's log records to gunicorn's error log."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(PlainTextFormatter(self.error_fmt, self.datefmt))
        self.error_log.addFilter(_remove_message_of_request)
        waitress = logging.getLogger("waitress")
        waitress.handlers = self.error_log.handlers
        waitress.propagate = False
        waitress.addFilter(_remove_message)

    def atoms(
        self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta
    ) -> dict[str, Any]:
        """Return the safe atoms. All others print as a dash. Paths are percent-encoded again."""
        atoms = super().atoms(resp, req, environ, request_time)
        safe = {name: atoms[name] for name in SAFE_ATOMS}
        safe["U"] = quote(str(safe["U"]).encode("latin-1", "replace"), SAFE_PATH_CHARACTERS)
        return safe | {"r": "{m} {U} {H}".format(**safe)}


def _remove_message_of_request(record: logging.LogRecord) -> bool:
    """Remove the message of an error in a request, as gunicorn's own worker classes log it.

    Errors at startup keep their message: no visitor takes part in them.
    """
    if record.exc_info and str(record.msg).startswith("Error handling request"):
        _remove_message(record)
    return True


def _remove_message(record: logging.LogRecord) -> bool:
    """Log where the app failed, without the message: it may quote a child's record."""
    record.msg, record.args = remove_queries(to_single_line(record.getMessage())), ()
    if record.exc_info and record.exc_info[0]:
        kind, _, place = record.exc_info
        record.exc_text = "".join(traceback.format_tb(place)) + kind.__name__
        record.exc_info = None
    return True
