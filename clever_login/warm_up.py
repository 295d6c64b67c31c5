"""Loads what a login needs while the process's first user is logging in at Clever.

A process starts without the store and the database code, so that it answers at once. Loading them
takes half a second, which the first user would otherwise wait for on return from Clever.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from flask import Flask, current_app

_LOADERS_KEY = "LOADERS"


def register_loader(app: Flask, loader: Callable[[], object]) -> None:
    """Register a function to run ahead of its first use.

    It is called once per process and must not open a connection.
    """
    app.config.setdefault(_LOADERS_KEY, []).append(loader)


def start_loading() -> None:
    """Run the loaders that have not run yet, in a background thread."""
    loaders: list[Callable[[], object]] = current_app.config.get(_LOADERS_KEY, [])
    if loaders:
        Thread(target=_run_loaders, args=(loaders.copy(),), daemon=True).start()
        loaders.clear()


def _run_loaders(loaders: list[Callable[[], object]]) -> None:
    for loader in loaders:
        with suppress(Exception):  # the first real use raises and reports the same error
            loader()
