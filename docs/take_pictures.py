"""Take the README's pictures again: `.venv-test/bin/python -m docs.take_pictures`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.chromium import chromium
from tests.sites import Site, in_process

PICTURES = Path(__file__).parent / "pictures"
SIZE = {"width": 1000, "height": 680}


def main() -> None:
    """The login page, the simulator's, and the dashboards of a student and a teacher."""
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        in_process(Path(folder)) as site,
        chromium() as browser,
    ):
        for user_name in ("student", "teacher"):
            context = browser.new_context(viewport=SIZE)  # type: ignore[arg-type] # a TypedDict
            _take(context.new_page(), site, user_name)
            context.close()


def _take(page: Page, site: Site, user_name: str) -> None:
    page.goto(site.url)
    if user_name == "student":
        page.screenshot(path=PICTURES / "log-in.png")
    page.get_by_role("link", name="Log in with Clever").click()
    page.get_by_role("link", name=site.person(user_name).district.name).click()
    if user_name == "student":
        page.screenshot(path=PICTURES / "simulator.png")
    page.get_by_label("User name").fill(user_name)
    page.get_by_label("Password").fill("clever")
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url("**/dashboard")
    page.screenshot(path=PICTURES / f"{user_name.replace('_', '-')}.png")


if __name__ == "__main__":
    main()
