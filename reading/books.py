"""The books that teachers can assign, from books.json: public domain, in English and Spanish."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Book:
    """A book. `text` has its paragraphs or verses; `color` is the name of a subject's color."""

    id: str
    title: str
    author: str
    language: str
    color: str
    text: tuple[str, ...]


_DATA = json.loads((Path(__file__).parent / "books.json").read_text("utf-8"))
BOOKS = {data["id"]: Book(**{**data, "text": tuple(data["text"])}) for data in _DATA}


def book(book_id: str) -> Book:
    """Return a book. For a book that is no longer in books.json, return one without text."""
    missing = Book(id=book_id, title=book_id, author="", language="en", color="other", text=())
    return BOOKS.get(book_id, missing)
