"""Starts a sync in a process of its own: neither a request nor a web worker may read a district.

The process is `flask clever run-sync`, which loads the app as any other command does. It has the
lowest priority, and it outlives the worker that started it. As long as the worker lives, a thread
waits for the process to end: a process that nobody waits for would keep its id, and the lock of a
sync that was killed would look as if it were still held.
"""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from types import ModuleType

from flask import Flask

_KEY = "clever_login_sync_app"
_FACTORIES = ("create_app", "make_app")


def init_app(app: Flask, flask_app: str | None) -> None:
    """Set how `flask --app` finds this app. Without `flask_app`, it is found out when needed."""
    app.extensions[_KEY] = flask_app


def app_name(app: Flask) -> str | None:
    """Return how `flask --app` finds this app, or None if that is unknown.

    Without `flask_app` in `parts.Rosters`, it is FLASK_APP, or the module of the app if Flask finds
    an app or a factory in it.
    """
    return app.extensions.get(_KEY) or os.environ.get("FLASK_APP") or _own_module(app)


def start(name: str, run_id: str, when_ended: Callable[[int], None]) -> None:
    """Start the sync of a run, and call `when_ended` with the exit code of its process.

    Raises OSError if the system cannot start a process.
    """
    process = subprocess.Popen(  # noqa: S603 # the words are ours, and no shell reads them
        _command(name, run_id),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # a signal to the server's processes does not reach it
    )
    Thread(target=lambda: when_ended(process.wait()), name="sync ended", daemon=True).start()


def _command(name: str, run_id: str) -> list[str]:
    program = shutil.which("nice")
    low_priority = [program, "-n", "19"] if program else []
    flask = [sys.executable, "-m", "flask", "--app", name]
    return [*low_priority, *flask, "clever", "run-sync", run_id]


def _own_module(app: Flask) -> str | None:
    module = sys.modules.get(app.import_name)
    if module is None or app.import_name == "__main__" or not _is_in(module, app.root_path):
        return None
    return app.import_name if _has_app(module) or _has_factory(module) else None


def _is_in(module: ModuleType, folder: str) -> bool:
    """Return whether the module is the app's: a name like "app" may be that of another module."""
    return Path(module.__file__ or "").resolve().parent == Path(folder).resolve()


def _has_app(module: ModuleType) -> bool:
    return sum(isinstance(value, Flask) for value in vars(module).values()) == 1


def _has_factory(module: ModuleType) -> bool:
    """Return whether Flask finds a factory that it can call without arguments."""
    factory = next((getattr(module, name) for name in _FACTORIES if hasattr(module, name)), None)
    if not inspect.isfunction(factory):
        return False
    parameters = inspect.signature(factory).parameters.values()
    return all(
        parameter.default is not parameter.empty
        or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        for parameter in parameters
    )
