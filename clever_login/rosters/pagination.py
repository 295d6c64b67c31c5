"""Splits long lists into pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")
PAGE_SIZE = 50  # rows; such a page is smaller than 30 KB
ALL_PAGES = 0  # as page number: all rows, for printing


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list. It is empty only if the list is."""

    rows: Sequence[T]
    number: int = 1  # from 1, or ALL_PAGES
    total: int  # rows of the whole list

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def pages(self) -> int:
        """The number of pages."""
        return _page_count(self.total)

    @property
    def page_links(self) -> list[int | None]:
        """The page numbers to link: first, last, and two on each side. None stands for a gap."""
        neighbors = range(self.number - 2, self.number + 3)
        links: list[int | None] = []
        for page in range(1, self.pages + 1):
            if page in {1, self.pages} or page in neighbors:
                links.append(page)
            elif links[-1] is not None:
                links.append(None)
        return links

    @property
    def offset(self) -> int:
        """The number of rows on earlier pages."""
        return max(self.number - 1, 0) * PAGE_SIZE

    def with_rows(self, rows: Sequence[U]) -> Page[U]:
        """Return the same page with other rows."""
        return Page(rows=rows, number=self.number, total=self.total)


def paginate(rows: Sequence[T], number: int) -> Page[T]:
    """Return one page of a list; the last one if `number` is too high."""
    if number == ALL_PAGES:
        return Page(rows=rows, number=ALL_PAGES, total=len(rows))
    number = min(max(number, 1), _page_count(len(rows)))
    return Page(
        rows=rows[(number - 1) * PAGE_SIZE : number * PAGE_SIZE], number=number, total=len(rows)
    )


def _page_count(rows: int) -> int:
    return max(-(-rows // PAGE_SIZE), 1)
