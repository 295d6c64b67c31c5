"""Clever's paginated lists, with one page in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import parse_qs, unquote, urlencode, urljoin, urlsplit

from clever_login.clever.parsing import Json, is_valid_id
from clever_login.errors import CleverUnexpected

MAX_EMPTY_PAGES = 100  # in a row; without a limit, empty pages with ever new URLs would never end
QueryValue = str | int | Sequence[str] | None
MAX_PAGE_SIZE = 10_000  # records; Clever answers 413 for more


def iterate_records(get: Callable[[str], Json], url: str, *, within: str) -> Iterator[object]:
    """Iterate over all entries of a list, in Clever's order.

    `within` is the URL that every next link must start with. An entry is a record, or whatever else
    Clever sent in its place. The entries of a page are released one by one. An empty page with a
    next link is not the end. Raises CleverUnexpected for a response that is not a list, for a next
    link to another place or to a page already read, and for more than MAX_EMPTY_PAGES empty pages
    in a row.
    """
    read_urls: set[int] = set()  # hashes of URLs: a district has hundreds of pages
    empty = 0
    while True:
        read_urls.add(hash(url))
        body = get(url)
        page = _page_records(body)
        following = _next_page_url(body, page, url, within)
        del body
        empty = 0 if page else empty + 1
        if empty > MAX_EMPTY_PAGES:
            raise CleverUnexpected("a list from Clever has too many empty pages in a row")
        page.reverse()
        while page:
            yield page.pop()
        if following is None:
            return
        if hash(following) in read_urls:
            raise CleverUnexpected("a list from Clever links back to a page that was already read")
        url = following


def url_with_query(url: str, **parameters: QueryValue) -> str:
    """Return the URL with the parameters that are not None.

    A list value is repeated for each item.
    """
    query = {name: value for name, value in parameters.items() if value is not None}
    return f"{url}?{urlencode(query, doseq=True)}" if query else url


def _page_records(body: Json) -> list[object]:
    """Return the record of each entry. Most lists wrap every record in an object with its URL."""
    entries = body.get("data")
    if not isinstance(entries, list):
        raise CleverUnexpected("Clever's list response has no `data` array")
    return [entry.get("data", entry) if isinstance(entry, dict) else entry for entry in entries]


def _next_page_url(body: Json, page: list[object], url: str, within: str) -> str | None:
    links = body.get("links")
    if not isinstance(links, list):
        return _url_after_last_record(page, url) if page else None
    uris = [
        link.get("uri") for link in links if isinstance(link, dict) and link.get("rel") == "next"
    ]
    if not uris:
        return None
    return _checked_link(uris[0], url, within)


def _checked_link(uri: object, url: str, within: str) -> str:
    """Return the absolute URL of a link.

    Raises CleverUnexpected for another host, scheme, or folder, which must not receive the token.
    """
    try:
        target = urlsplit(urljoin(url, uri)) if isinstance(uri, str) else None
    except ValueError:
        target = None
    home = urlsplit(within)
    if (
        target is None
        or (target.scheme, target.netloc) != (home.scheme, home.netloc)
        or not target.path.startswith(home.path)
        or {".", ".."} & set(unquote(target.path).split("/"))
    ):
        raise CleverUnexpected("a list from Clever continues at another address")
    return target.geturl()


def _url_after_last_record(page: list[object], url: str) -> str | None:
    """Return the URL of the next page where responses have no links, as in Clever's files of v1.

    An empty page is the last one.
    """
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    if "limit" not in query:
        return None
    ids = [record.get("id") for record in page if isinstance(record, dict)]
    last = next(filter(is_valid_id, reversed(ids)), None)
    if last is None:
        raise CleverUnexpected("a page of a list from Clever has no id to continue after")
    query["starting_after"] = [last]
    return parts._replace(query=urlencode(query, doseq=True)).geturl()
