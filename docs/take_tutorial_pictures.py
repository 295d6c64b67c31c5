"""Takes the screenshots of tutorial.md: `.venv-test/bin/python -m docs.take_tutorial_pictures`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from docs.take_pictures import PICTURES, save
from tests.support import tutorial
from tests.support.chromium import run_chromium


def main() -> None:
    """Follow the tutorial in a copy of the project."""
    with tempfile.TemporaryDirectory() as folder, run_chromium() as browser:
        copy = tutorial.copy_project(Path(folder))
        for number, page in enumerate(tutorial.walk_through(copy, browser), 1):
            save(page.screenshot(), PICTURES / f"tutorial-{number}.png")


if __name__ == "__main__":
    main()
