"""Follows docs/tutorial.md in a copy of the project, step by step, with a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.support.running_app import ROOT

PAGE = ROOT / "docs" / "tutorial.md"
IGNORED = (".env", ".git", ".venv*", "instance", "node_modules", ".*_cache")
BLOCK = re.compile(r"```(?P<kind>sh|python|jinja)\n(?P<code>.*?)```", re.DOTALL)
FILE = re.compile(r"(?:# |\{# )(reading/\S+)")  # the first line of a block that is a file
PHONE, DESKTOP = (360, 740), (1100, 700)
FILE_COMMANDS = ("mv", "mkdir", "cp", "rm")


def copy_project(parent: Path) -> Path:
    """Copy the project, and return the folder."""
    copy = parent / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*IGNORED))
    return copy


def follow(copy: Path, heading: str) -> None:
    """Do what a section of the tutorial says: run its commands on files, and write its files."""
    (section,) = (
        part for part in PAGE.read_text().split("\n## ") if part.partition("\n")[0] == heading
    )
    for block in BLOCK.finditer(section):
        code = block["code"]
        if block["kind"] == "sh":
            lines = [line for line in code.splitlines() if line.startswith(FILE_COMMANDS)]
            subprocess.run(["bash", "-e"], input="\n".join(lines), text=True, cwd=copy, check=True)
        elif named := FILE.match(code):
            (copy / named[1]).write_text(code)


def commands() -> list[str]:
    """Return the commands of the tutorial."""
    blocks = BLOCK.finditer(PAGE.read_text())
    return [
        line for block in blocks if block["kind"] == "sh" for line in block["code"].splitlines()
    ]


@dataclass(frozen=True)
class RunningStep:
    """The app after a step of the tutorial."""

    url: str
    process: subprocess.Popen[str]
    browser: Browser

    def command(self, words: str) -> str:
        """Run a command of the app, or `year STEP`. Return the last line of its output."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def page(self, user_name: str, size: tuple[int, int] = DESKTOP) -> Page:
        """Return a page in a new browser in which this person has logged in."""
        width, height = size
        page = self.browser.new_page(viewport={"width": width, "height": height})
        page.goto(f"{self.url}/login")
        page.get_by_text("Harrow Creek").first.click()
        page.get_by_label("User name").fill(user_name)
        page.get_by_label("Password").fill("clever")
        page.get_by_role("button", name="Log in", exact=True).click()
        page.wait_for_url(f"{self.url}/dashboard")
        return page


@contextmanager
def running(copy: Path, browser: Browser) -> Iterator[RunningStep]:
    """Run the app of the copy with a simulator."""
    command = [sys.executable, "-m", "docs.tutorial_server"]
    process = subprocess.Popen(
        command,
        cwd=copy,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield RunningStep(process.stdout.readline().strip(), process, browser)
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(20)
        process.stdout.close()


def walk_through(copy: Path, browser: Browser) -> Iterator[Page]:
    """Follow the tutorial, and yield the page of each picture."""
    follow(copy, "Before you start")
    follow(copy, "Step 1: a page for teachers")
    with running(copy, browser) as step:
        assert "can't open this page" in _text(step.page("student"), f"{step.url}/reading")
        page = step.page("teacher")
        assert "The Hare and the Tortoise" in _text(page, f"{step.url}/reading")
        yield page
    follow(copy, "Step 2: a teacher assigns a book")
    with running(copy, browser) as step:
        step.command("sync")
        page = step.page("teacher")
        page.goto(f"{step.url}/reading/new")
        page.get_by_text("The Hare and the Tortoise").click()
        page.get_by_role("button", name="Assign").click()
        assert "0 of 16 students have read it" in page.locator("main").inner_text()
        yield page
    follow(copy, "Step 3: students read")
    with running(copy, browser) as step:
        page = step.page("student", PHONE)
        page.get_by_text("The Hare and the Tortoise").click()
        button = page.get_by_role("button", name="I have read it")
        button.scroll_into_view_if_needed()
        yield page
        button.click()
        assert "You read it" in page.locator("main").inner_text()
    follow(copy, "Step 4: classes change")
    with running(copy, browser) as step:
        step.command("sync")
        step.command("year semester")
        step.command("sync")
        page = step.page("teacher")
        assert "1 of 16 students have read it" in _text(page, f"{step.url}/reading/1")
        yield page
        assert "You read it" in _text(step.page("student"), f"{step.url}/my-books")
    follow(copy, "Test it")


def _text(page: Page, url: str) -> str:
    page.goto(url)
    return page.locator("main").inner_text()
