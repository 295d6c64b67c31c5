"""Everybody in front of every page of theirs, found by following links: what do they read?"""

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
from clever_login.access import public
from clever_login.catalogs import Catalogs
from clever_login.error_texts import PAGES
from clever_login.school.tables import District, Person, School, Section
from tests import sites
from tests.entries import by_button
from tests.school import flask_clever
from tests.school_data import rows
from tests.sites import Site
from tests.visitor import Visitor

NOBODY = ""
PEOPLE = ("student", "teacher", "school_admin", "district_admin", "teacher_admin", "sparse")
FIRST = ("/dashboard", "/claim", "/claim?token=nothing", "/preferred-name", "/nothing-here")
OF_NOBODY = ("/", "/logged-out", "/away", "/claim")
PER_KIND = 2  # pages of one kind are alike
INCIDENT = "Logins through the portal are slow"
READ_OUT = ("alt", "aria-label", "aria-description", "title", "placeholder", "label")
# A paragraph is read as one; a link that stands in a box, and in no paragraph, by itself.
BLOCKS = {"title", "h1", "h2", "h3", "h4", "p", "li", "dt", "dd", "th", "td", "label", "summary"}
BLOCKS |= {"caption", "figcaption", "legend", "button"}
BOXES = {"html", "body", "main", "header", "footer", "nav", "section", "aside", "article", "div"}
BOXES |= {"form", "dialog", "svg"}


@contextmanager
def site_to_read(folder: Path, catalogs: Catalogs | None = None) -> Iterator[Site]:
    """The app with a roster, an incident at Clever, and a page for each failure."""

    def extend(app: Flask) -> None:
        app.add_url_rule("/fail/<code>", "fail", _fail)
        if catalogs:
            app.extensions["languages"] = catalogs

    with sites.in_process(
        folder,
        extend=extend,
        clever_status_url="{clever}/_status",
        ask_preferred_name=True,
    ) as site:
        flask_clever(site, "db", "upgrade")
        flask_clever(site, "sync")
        site.clever.incident(INCIDENT, "minor")
        yield site


@public
def _fail(code: str) -> str:
    """Fail as this code says: its page is what somebody sees."""
    raise type("Failed", (errors.LoginError,), {"code": code})


@dataclass
class Reader:
    """Somebody with a browser in one language; the pages that they have found."""

    site: Site
    who: str
    language: str
    pages: dict[str, BeautifulSoup] = field(default_factory=dict)

    def look_around(self, *also: str) -> Reader:
        """Open what one may begin with, and from there each kind of page that has a link."""
        visitor = self.arrive()
        todo = [*(FIRST if self.who else OF_NOBODY), *also]
        seen: dict[str, int] = {}
        while todo:
            path = todo.pop(0)
            kind = re.sub(r"/[^/?]{12,}", "/ID", path)
            seen[kind] = seen.get(kind, 0) + 1
            if path not in self.pages and seen[kind] <= PER_KIND:
                self.pages[path] = visitor.open(path).page
                todo += _links(visitor)
        return self

    def arrive(self) -> Visitor:
        """Log in, or not."""
        visitor = by_button(self.site, self.who) if self.who else self.site.visitor()
        visitor.http.headers["Accept-Language"] = self.language
        return visitor

    def see(self, *paths: str) -> Reader:
        """Open these, as they are just now."""
        visitor = self.arrive()
        for path in paths:
            self.pages[path] = visitor.open(path).page
        return self

    def fail(self) -> Reader:
        """See the page of every failure."""
        visitor = self.arrive()
        for code in PAGES:
            self.pages[f"/fail/{code}"] = visitor.open(f"/fail/{code}").page
        return self


def _links(visitor: Visitor) -> Iterator[str]:
    """The pages that links of this page lead to, which change nothing."""
    for link in visitor.page.select("a[href^='/']"):
        path = str(link["href"])
        if not urlsplit(path).path.startswith(("/language/", "/login")):
            yield path


def claim_link(site: Site) -> str:
    """A link to an account from before Clever, as a path."""
    words = flask_clever(site, "accounts", "add", "--first-name", "Ada").split()
    link = flask_clever(site, "accounts", "invite", "--person", words[-1]).strip()
    return link.removeprefix(site.url)


def data(site: Site) -> set[str]:
    """What is nobody's text: the names of people and places, as they are in the store."""
    found = {"Reading Room", "Clever", INCIDENT}
    with rows(site) as session:
        for column in (
            Person.first_name,
            Person.last_name,
            Person.email,
            School.name,
            District.name,
            Section.name,
            Section.period,
        ):
            found |= {str(each) for each in session.scalars(select(column).distinct()) if each}
    person = site.person("sparse")
    return found | {person.name.first, person.name.last}


def without(text: str, names: set[str], instead: str = " ") -> str:
    """The text with names left out, the longest first."""
    for name in sorted(names, key=len, reverse=True):
        if name in text:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?:['’]s)?(?!\w)", instead, text)
    return text


def everything(page: BeautifulSoup) -> list[str]:
    """Every text of a page in its order, those that are only read out among them."""
    found: list[str] = []
    for each in page.descendants:
        if isinstance(each, Tag):
            found += _read_out(each)
        elif _is_read(each):
            found.append(str(each))
    return found


def sentences(page: BeautifulSoup) -> Iterator[str]:
    """What a child reads, sentence by sentence; not what is folded away for an adult."""
    blocks: dict[int, list[str]] = {}
    for number, each in enumerate(page.descendants):
        if isinstance(each, Tag):
            blocks[-number] = _read_out(each)
        elif _is_read(each) and not each.find_parent(_for_adults):
            blocks.setdefault(id(_block(each)), []).append(str(each))
    for parts in blocks.values():
        text = " ".join(" ".join(parts).split())
        yield from (each for each in re.split(r"(?<=[.!?:])\s|\s·\s", text) if each)


def _read_out(tag: Tag) -> list[str]:
    """Attributes that are read out, or that a script shows."""
    return [
        str(value)
        for name, value in tag.attrs.items()
        if value and (name in READ_OUT or (name.startswith("data-") and " " in str(value)))
    ]


def _is_read(node: PageElement) -> bool:
    """Whether this is text, and no code or reference for an operator to search for."""
    if type(node) is not NavigableString or node.parent is None:
        return False
    hidden = node.find_parent(["script", "style", "noscript", "code"])
    return hidden is None and node.find_parent(class_="reference") is None


def _for_adults(tag: Tag) -> bool:
    return "adult" in str(tag.get("class"))


def _block(node: PageElement) -> Tag | None:
    """The paragraph that a text is part of, or the link that stands for itself."""
    inner: Tag | None = None
    for each in node.parents:
        if each.name in BLOCKS:
            return each
        if each.name in BOXES:
            return inner or each
        inner = inner or each
    return inner
