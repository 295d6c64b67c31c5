"""Records the animation of the README: `.venv-test/bin/python -m docs.take_animation`."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from docs.take_pictures import COLOURS, PICTURES
from tests.support import tutorial
from tests.support.chromium import run_chromium

SIZE = (900, 560)
MILLISECONDS = 1400


def main() -> None:
    """Log a student in, and save what the browser shows."""
    with tempfile.TemporaryDirectory() as folder, run_chromium() as browser:
        copy = tutorial.copy_project(Path(folder))
        with tutorial.running(copy, browser) as app:
            app.command("sync")
            frames = [_frame(picture) for picture in _first_login(app.url, browser)]
    durations = [MILLISECONDS] * (len(frames) - 1) + [3 * MILLISECONDS]
    path = PICTURES / "first-login.gif"
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True
    )


def _first_login(url: str, browser: Browser) -> list[bytes]:
    width, height = SIZE
    page = browser.new_page(viewport={"width": width, "height": height})
    pictures = []
    page.goto(url)
    pictures.append(page.screenshot())
    page.get_by_text("Log in with Clever").hover()
    pictures.append(page.screenshot())
    page.get_by_text("Log in with Clever").click()
    page.get_by_text("Harrow Creek").first.click()
    pictures.append(page.screenshot())
    page.get_by_label("User name").fill("student")
    page.get_by_label("Password").fill("clever")
    pictures.append(page.screenshot())
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url(f"{url}/dashboard")
    pictures.append(page.screenshot())
    return pictures


def _frame(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    return image.quantize(COLOURS, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
