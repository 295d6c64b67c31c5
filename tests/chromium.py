"""Starting a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium(ignored: list[str] | None = None) -> Iterator[Browser]:
    """The system's Chromium, else the one that `playwright install chromium` has brought.

    `ignored` are arguments that Playwright gives it by itself, and that it shall not have.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=ARGUMENTS,
            ignore_default_args=ignored or [],
        )
        try:
            yield browser
        finally:
            browser.close()
