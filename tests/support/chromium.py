"""Starts a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserType, sync_playwright

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """Start the system's Chromium, or the one that `playwright install chromium` downloaded."""
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright.chromium)
        try:
            yield browser
        finally:
            browser.close()


def launch_chromium(kind: BrowserType, ignored: list[str] | None = None) -> Browser:
    """Start a Chromium without those of Playwright's default arguments that are in `ignored`."""
    return kind.launch(
        executable_path=shutil.which("chromium"),
        args=CHROMIUM_ARGUMENTS,
        ignore_default_args=ignored or [],
    )
