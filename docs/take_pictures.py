"""Takes screenshots of every page and writes their sizes and headings: `bin/screenshots`."""

from __future__ import annotations

import io
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page

from app import create_app
from tests.support.chromium import run_chromium
from tests.support.page_tour import (
    AXE_RULES,
    CLEVER_FORM,
    STOPS,
    DisplayMode,
    Stop,
    Tour,
    run_tour_site,
)

HERE = Path(__file__).parent
PICTURES, PAGES = HERE / "pictures", HERE / "pages.md"
DEVICES = {"phone": (360, 740), "desktop": (1280, 800)}
LOOKS = {
    f"{device}-{scheme}": DisplayMode(scheme=scheme, width=width, height=height)
    for device, (width, height) in DEVICES.items()
    for scheme in ("light", "dark")
}
COLOURS = 64  # pages have few colors, so 64 look the same in a third of the bytes
# The text of block elements, which is then split into sentences.
BLOCKS = """() => [...document.querySelectorAll(
    "h1, h2, h3, p, li, dt, dd, td, th, a, button, summary, label, figcaption")]
    .filter(each => each.checkVisibility() && !each.querySelector("p, li, dd, td, a, button"))
    .map(each => each.innerText)"""
HEAD = """\
# All pages

This page is for developers and designers who change the pages. After reading it, you know what each
page looks like, how large it is, and whether axe-core reports violations.

`bin/screenshots` writes this page and takes the screenshots in `docs/pictures/`: on a phone
(360 × 740) and on a desktop (1280 × 800), in light and dark color schemes.

- **user**: the simulator's user who is logged in.
- **first visit**: bytes on the wire, with headers, for a browser with an empty cache.
- **later visit**: the same, with the static files in the cache.
- **axe**: number of violations that axe-core reports ({rules}),
  over six views: the four screenshots, and 320 px wide in English and in Spanish.
- **longest sentence**: its number of words, in English and in Spanish.

| page | user | heading | first visit | later visit | axe | longest sentence |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The measurements of one page."""

    heading: str
    first: int
    afterwards: int
    complaints: int
    longest: dict[str, int]

    def row(self, stop: Stop) -> str:
        """Returns a row of the table."""
        link = f"[{stop.name}](pictures/{stop.name}-phone-light.png)"
        longest = " / ".join(str(self.longest[language]) for language in ("en", "es"))
        weights = f"{self.first:,} | {self.afterwards:,}"
        who = stop.user_name or "none"
        return f"| {link} | {who} | {self.heading} | {weights} | {self.complaints} | {longest} |\n"


def main(names: list[str]) -> None:
    """Visits every page and writes the table. With names, visits only those and writes no table."""
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        run_tour_site(Path(folder), create_app) as site,
        run_chromium() as browser,
    ):
        tour = Tour(site, browser)
        stops = [stop for stop in STOPS if not names or stop.name in names]
        if not names:
            with tour.visit(CLEVER_FORM, LOOKS["desktop-light"]) as page:
                save(page.screenshot(), PICTURES / "simulator.png")
        rows = [_look_at(tour, stop).row(stop) for stop in stops]
    if not names:
        PAGES.write_text(HEAD.format(rules=", ".join(AXE_RULES)) + "".join(rows), encoding="utf-8")


def _look_at(tour: Tour, stop: Stop) -> Seen:
    complaints = 0
    for name, look in LOOKS.items():
        with tour.visit(stop, look) as page:
            save(page.screenshot(), PICTURES / f"{stop.name}-{name}.png")
            complaints += _complaints(page)
    longest = {}
    for language in ("en", "es"):
        with tour.visit(stop, DisplayMode(language=language, width=320)) as page:
            longest[language] = _longest(page)
            complaints += _complaints(page)
    weight = Weight()
    with tour.visit(stop, DisplayMode(), weight.watch) as page:
        page.wait_for_load_state("networkidle")
        heading = page.locator("h1").inner_text()
    return Seen(
        heading=heading,
        first=weight.first,
        afterwards=weight.afterwards,
        complaints=complaints,
        longest=longest,
    )


def save(picture: bytes, path: Path) -> None:
    """Writes a screenshot with few colors."""
    image = (
        Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    )
    image.save(path, optimize=True)


def _complaints(page: Page) -> int:
    violations = Axe().run(page, options={"runOnly": AXE_RULES}).response["violations"]
    return sum(len(violation["nodes"]) for violation in violations)


def _longest(page: Page) -> int:
    sentences = [
        sentence for text in page.evaluate(BLOCKS) for sentence in re.split(r"(?<=[.!?])\s", text)
    ]
    return max(len(re.findall(r"\w[\w'’-]*", sentence)) for sentence in sentences)


class Weight:
    """Counts the bytes on the wire of a browser's last page and its files, without a cache."""

    def __init__(self) -> None:
        self._sizes: dict[str, float] = {}
        self._page = ""

    def watch(self, page: Page) -> None:
        """Starts counting the requests of a page."""
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._asked)
        session.on("Network.loadingFinished", self._loaded)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})

    @property
    def first(self) -> int:
        """Bytes of the page and its files."""
        return int(sum(self._sizes.values()))

    @property
    def afterwards(self) -> int:
        """Bytes of the page alone, as if its files were cached."""
        return int(self._sizes[self._page])

    def _asked(self, event: dict[str, Any]) -> None:
        if event["type"] == "Document":
            self._page, self._sizes = event["requestId"], {}

    def _loaded(self, event: dict[str, Any]) -> None:
        self._sizes[event["requestId"]] = event["encodedDataLength"]


if __name__ == "__main__":
    main(sys.argv[1:])
