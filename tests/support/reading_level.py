"""Crawls the pages of every kind of user and collects the text that they read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PageElement
from flask import Flask
from sqlalchemy import select

from clever_login import errors
from clever_login.db.models import Course, District, Person, School, Section, Term
from clever_login.i18n.catalogs import Catalogs
from clever_login.web.messages.error_messages import CHILD_MESSAGES
from clever_login.web.routing import public
from tests.support import running_app
from tests.support.account_app import run_flask_clever
from tests.support.browser_client import Visitor
from tests.support.login_flows import by_button
from tests.support.reference_app.app import PRODUCT
from tests.support.roster_fixtures import database_session
from tests.support.running_app import Site

NOT_LOGGED_IN = ""
READERS = ("student", "teacher", "school_admin", "district_admin", "teacher_admin", "sparse")
START_PATHS = ("/dashboard", "/claim", "/claim?token=nothing", "/preferred-name", "/nothing-here")
PUBLIC_PATHS = ("/", "/logged-out", "/away", "/claim")
PAGES_PER_KIND = 2  # pages of one kind are alike
INCIDENT = "Logins through the portal are slow"
SPOKEN_ATTRIBUTES = ("alt", "aria-label", "aria-description", "title", "placeholder", "label")
# A block is read as one text. A link in a container but outside any block is a text of its own.
TEXT_BLOCKS = {
    "title",
    "h1",
    "h2",
    "h3",
    "h4",
    "p",
    "li",
    "dt",
    "dd",
    "th",
    "td",
    "label",
    "summary",
}
TEXT_BLOCKS |= {"caption", "figcaption", "legend", "button"}
CONTAINERS = {
    "html",
    "body",
    "main",
    "header",
    "footer",
    "nav",
    "section",
    "aside",
    "article",
    "div",
}
CONTAINERS |= {"form", "dialog", "svg"}


@contextmanager
def run_site_to_read(folder: Path, catalogs: Catalogs | None = None) -> Iterator[Site]:
    """Run the app with a roster, an incident at Clever, and a view for each error page."""

    def extend(app: Flask) -> None:
        app.add_url_rule("/fail/<code>", "fail", _fail)
        if catalogs:
            app.extensions["languages"] = catalogs

    with running_app.run_in_process(
        folder,
        extend=extend,
        clever_status_url="{clever}/_status",
        ask_preferred_name=True,
    ) as site:
        run_flask_clever(site, "db", "upgrade")
        run_flask_clever(site, "sync")
        site.clever.add_incident(INCIDENT, "minor")
        yield site


@public
def _fail(code: str) -> str:
    """Raise a login error with this code, to show its page."""
    raise type("Failed", (errors.LoginError,), {"code": code})


@dataclass
class PageReader:
    """One user with a browser in one language, and the pages opened so far."""

    site: Site
    user_name: str
    language: str
    pages: dict[str, BeautifulSoup] = field(default_factory=dict)

    def look_around(self, *also: str) -> PageReader:
        """Open the start pages and, from there, pages of each kind that is linked."""
        visitor = self.arrive()
        todo = [*(START_PATHS if self.user_name else PUBLIC_PATHS), *also]
        counts: dict[str, int] = {}
        while todo:
            path = todo.pop(0)
            kind = re.sub(r"/[^/?]{12,}", "/ID", path)
            counts[kind] = counts.get(kind, 0) + 1
            if path not in self.pages and counts[kind] <= PAGES_PER_KIND:
                self.pages[path] = visitor.open(path).page
                todo += _linked_pages(visitor)
        return self

    def arrive(self) -> Visitor:
        """Return a browser in the reader's language, logged in if the reader is a user."""
        visitor = by_button(self.site, self.user_name) if self.user_name else self.site.visitor()
        visitor.http.headers["Accept-Language"] = self.language
        return visitor

    def see(self, *paths: str) -> PageReader:
        """Open these paths now, even if already visited."""
        visitor = self.arrive()
        for path in paths:
            self.pages[path] = visitor.open(path).page
        return self

    def fail(self) -> PageReader:
        """Open the page of every error."""
        visitor = self.arrive()
        for code in CHILD_MESSAGES:
            self.pages[f"/fail/{code}"] = visitor.open(f"/fail/{code}").page
        return self


def _linked_pages(visitor: Visitor) -> Iterator[str]:
    """Yield the paths of this page's links, except those that log in or switch the language."""
    for link in visitor.page.select("a[href^='/']"):
        path = str(link["href"])
        if not urlsplit(path).path.startswith(("/language/", "/login")):
            yield path


def claim_link(site: Site) -> str:
    """Create an account from before Clever, and return the path of its claim link."""
    words = run_flask_clever(site, "accounts", "add", "--first-name", "Ada").split()
    link = run_flask_clever(site, "accounts", "invite", "--person", words[-1]).strip()
    return link.removeprefix(site.url)


def roster_texts(site: Site) -> set[str]:
    """Return the texts that are data: names of people, schools, districts, and sections."""
    texts = {PRODUCT, "Clever", INCIDENT}
    with database_session(site) as session:
        for column in (
            Person.first_name,
            Person.last_name,
            Person.email,
            School.name,
            District.name,
            Section.name,
            Term.name,
            Course.name,
            Section.period,
        ):
            texts |= {str(row) for row in session.scalars(select(column).distinct()) if row}
    person = site.person("sparse")
    return texts | {person.name.first, person.name.last}


def remove_texts(text: str, names: set[str], instead: str = " ") -> str:
    """Return the text with these names replaced by `instead`, longest names first."""
    for name in sorted(names, key=len, reverse=True):
        if name in text:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?:['’]s)?(?!\w)", instead, text)
    return text


def all_texts(page: BeautifulSoup) -> list[str]:
    """Return all texts of a page in document order, including those only for screen readers."""
    texts: list[str] = []
    for descendant in page.descendants:
        if isinstance(descendant, Tag):
            texts += _spoken_texts(descendant)
        elif _is_read(descendant):
            texts.append(str(descendant))
    return texts


def sentences(page: BeautifulSoup) -> Iterator[str]:
    """Yield the sentences that a child reads. Details collapsed for adults are left out."""
    blocks: dict[int, list[str]] = {}
    for number, node in enumerate(page.descendants):
        if isinstance(node, Tag):
            blocks[-number] = _spoken_texts(node)
        elif _is_read(node) and not node.find_parent(_is_for_adults):
            blocks.setdefault(id(_text_block(node)), []).append(str(node))
    for parts in blocks.values():
        text = " ".join(" ".join(parts).split())
        yield from (part for part in re.split(r"(?<=[.!?:])\s|\s·\s", text) if part)


def _spoken_texts(tag: Tag) -> list[str]:
    """Return the attributes that a screen reader speaks or a script displays."""
    return [
        str(value)
        for name, value in tag.attrs.items()
        if value and (name in SPOKEN_ATTRIBUTES or (name.startswith("data-") and " " in str(value)))
    ]


def _is_read(node: PageElement) -> bool:
    """Return whether this is text, rather than code or a reference for an operator."""
    if type(node) is not NavigableString or node.parent is None:
        return False
    hidden = node.find_parent(["script", "style", "noscript", "code"])
    return hidden is None and node.find_parent(class_="reference") is None


def _is_for_adults(tag: Tag) -> bool:
    return "adult" in str(tag.get("class"))


def _text_block(node: PageElement) -> Tag | None:
    """Return the block that contains this text, or the standalone link."""
    inner: Tag | None = None
    for parent in node.parents:
        if parent.name in TEXT_BLOCKS:
            return parent
        if parent.name in CONTAINERS:
            return inner or parent
        inner = inner or parent
    return inner
