"""What a login needs is loaded while the first person of a process is at Clever.

A process starts without store and database, so that it answers at once. Loading them takes half a
second, for which the first child would wait when they come back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from flask import Flask, current_app

_LOADERS_KEY = "LOADERS"


def register_loader(app: Flask, loader: Callable[[], object]) -> None:
    """Have something loaded ahead; it is called once a process, and opens no connection."""
    app.config.setdefault(_LOADERS_KEY, []).append(loader)


def start_loading() -> None:
    """Load all that is not loaded yet, in a thread that nobody waits for."""
    loaders: list[Callable[[], object]] = current_app.config.get(_LOADERS_KEY, [])
    if loaders:
        Thread(target=_run_loaders, args=(loaders.copy(),), daemon=True).start()
        loaders.clear()


def _run_loaders(loaders: list[Callable[[], object]]) -> None:
    for loader in loaders:
        with suppress(Exception):  # whoever needs it meets it again, and has words for it
            loader()
