"""Splits long lists into pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")
U = TypeVar("U")
PAGE_SIZE = 50  # rows; such a page is smaller than 30 KB
MAX_PAGE_SIZE = 200
ALL_PAGES = 0  # as page number: all rows, for printing
MAX_PRINTED_ROWS = 1000  # a longer list is shown in pages only


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list. It is empty only if the list is."""

    rows: Sequence[T]
    total: int  # rows of the whole list
    page: int = 1  # its number, from 1
    size: int = PAGE_SIZE  # rows of a full page

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def pages(self) -> int:
        """The number of pages, at least 1."""
        return max(-(-self.total // self.size), 1)

    @property
    def page_links(self) -> list[int | None]:
        """The page numbers to link: first, last, and two on each side. None stands for a gap."""
        neighbors = range(self.page - 2, self.page + 3)
        links: list[int | None] = []
        for page in range(1, self.pages + 1):
            if page in {1, self.pages} or page in neighbors:
                links.append(page)
            elif links[-1] is not None:
                links.append(None)
        return links

    @property
    def is_printable(self) -> bool:
        """Whether the whole list may be shown on one page, see MAX_PRINTED_ROWS."""
        return self.total <= MAX_PRINTED_ROWS

    @property
    def offset(self) -> int:
        """The number of rows on earlier pages."""
        return max(self.page - 1, 0) * self.size

    def with_rows(self, rows: Sequence[U]) -> Page[U]:
        """Return the same page with other rows."""
        return cast(Page[U], replace(cast(Page[Any], self), rows=rows))


def empty_page(total: int, page: int, size: int) -> Page[Any]:
    """Return a page without its rows: the last page if `page` is too high.

    A size outside of 1 to MAX_PAGE_SIZE becomes the nearest size in that range.
    """
    size = min(max(size, 1), MAX_PAGE_SIZE)
    result: Page[Any] = Page(rows=(), total=total, size=size)
    return replace(result, page=min(max(page, 1), result.pages))


def paginate(rows: Sequence[T], page: int, size: int = PAGE_SIZE) -> Page[T]:
    """Return one page of a list, see `empty_page`."""
    result = empty_page(len(rows), page, size)
    return result.with_rows(rows[result.offset : result.offset + result.size])
