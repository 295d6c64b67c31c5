"""Long lists, page by page: so many rows each, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")
PAGE_SIZE = 50  # rows; such a page weighs less than 30 KB
ALL_PAGES = 0  # instead of a page's number: all rows, for paper


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list, which is empty only where the list is."""

    rows: Sequence[T]
    number: int = 1  # from 1 on, or WHOLE
    total: int  # rows of the whole list

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def pages(self) -> int:
        """How many there are."""
        return _page_count(self.total)

    @property
    def near(self) -> list[int | None]:
        """The pages to offer: the first, the last, those beside this one; None for a gap."""
        beside = range(self.number - 2, self.number + 3)
        found: list[int | None] = []
        for page in range(1, self.pages + 1):
            if page in {1, self.pages} or page in beside:
                found.append(page)
            elif found[-1] is not None:
                found.append(None)
        return found

    @property
    def before(self) -> int:
        """How many rows stand on the pages before this one."""
        return max(self.number - 1, 0) * PAGE_SIZE

    def of(self, rows: Sequence[U]) -> Page[U]:
        """The same page with what its rows stand for."""
        return Page(rows=rows, number=self.number, total=self.total)


def paginate(rows: Sequence[T], number: int) -> Page[T]:
    """This page of a list; the last one where there are not so many."""
    if number == ALL_PAGES:
        return Page(rows=rows, number=ALL_PAGES, total=len(rows))
    number = min(max(number, 1), _page_count(len(rows)))
    return Page(
        rows=rows[(number - 1) * PAGE_SIZE : number * PAGE_SIZE], number=number, total=len(rows)
    )


def _page_count(rows: int) -> int:
    return max(-(-rows // PAGE_SIZE), 1)
