"""Runs pytest many times without loading the packages again: forks one process for each line.

Reads the ids of tests from standard input, one per line. For each it writes the process id of a
pytest, which leads a process group, and then that pytest's exit code. It imports no module of the
project, so that each pytest imports the files as they are at that time.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from contextlib import suppress

import pytest

PACKAGES = (
    "alembic.command",
    "authlib.integrations.requests_client",
    "bs4",
    "cryptography.x509",
    "flask.cli",
    "flask_babel",
    "flask_session",
    "flask_wtf",
    "gunicorn.arbiter",
    "html5lib",
    "msgspec",
    "psycopg",
    "redis",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.orm",
    "werkzeug.serving",
)


def main() -> int:
    """Loads the packages, and runs pytest for each line. Returns the exit code of this process."""
    sys.path[0] = ""  # the current folder, as with `python -m pytest`
    for name in PACKAGES:
        with suppress(ImportError):  # a product may not need each of them
            importlib.import_module(name)
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            return _run_pytest(line.strip())
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    return 0


def _run_pytest(test: str) -> int:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    return pytest.main(["-q", "-x", "-p", "no:cacheprovider", test])


if __name__ == "__main__":
    sys.exit(main())
