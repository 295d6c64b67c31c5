"""An open loop of logins: each one starts at its scheduled time, even if others are waiting.

A login's time counts from its scheduled time, so a stalled server is charged for all arrivals.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from bench.fake_clever import responses

LOOPBACK, TIMEOUT_SECONDS = "127.0.0.1", 30.0  # routers wait as long
MAX_REDIRECTS, MAX_TRIPS_TO_CLEVER = 4, 3  # redirects in a row, trips to Clever and back
REQUEST_HEADERS = (
    "Accept: text/html\r\nAccept-Encoding: gzip\r\nSec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Dest: document\r\nSec-Fetch-Site: cross-site\r\n"
)
_PUPIL = re.compile(r"Pupil\d*")
_SET_COOKIE_PATTERN = re.compile(r"^set-cookie: *([^=;\s]+)=([^;\r]*)", re.I | re.M)


class WrongAnswer(Exception):
    """A response that is not the one for this user."""


class WrongPersonPage(WrongAnswer):
    """A page with another user's name, which must never happen."""


@dataclass(frozen=True)
class Page:
    """A response."""

    status: int
    head: str
    body: str

    def header(self, name: str) -> str:
        """Returns a header, or an empty string."""
        match = re.search(rf"^{name}: *([^\r]*)", self.head, re.I | re.M)
        return match[1] if match else ""


@dataclass
class Browser:
    """One user's browser: a persistent connection and cookies."""

    host: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    cookies: dict[str, str] = field(default_factory=dict)
    came: list[float] = field(default_factory=list)  # when each page arrived
    hung_up: bool = False  # the site closed the connection, so the next request needs a new one

    async def get(self, target: str, method: str = "GET") -> Page:
        """Requests one page, without following redirects."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        head = f"{method} {target} HTTP/1.1\r\nHost: {self.host}\r\n{REQUEST_HEADERS}"
        head += f"Cookie: {cookies}\r\n" if cookies else ""
        head += "Content-Length: 0\r\n" if method == "POST" else ""
        if self.hung_up:
            self.writer.close()
            port = self.host.rpartition(":")[2]
            self.reader, self.writer = await asyncio.open_connection(LOOPBACK, port)
        self.writer.write(f"{head}\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.cookies.update(_SET_COOKIE_PATTERN.findall(head))
        body = await self._body(head)
        if "content-encoding: gzip" in head.lower():
            body = gzip.decompress(body)
        self.came.append(time.perf_counter())
        self.hung_up = "connection: close" in head.lower()
        return Page(int(head[9:12]), head, body.decode("utf-8", "replace"))

    async def follow(self, target: str) -> Page:
        """Requests a page and follows redirects within this site.

        Raises WrongAnswer above the limit.
        """
        for _ in range(MAX_REDIRECTS):
            page = await self.get(target)
            parts = urlsplit(page.header("location"))
            if not 300 <= page.status < 400 or parts.netloc not in ("", self.host):
                return page
            target = parts._replace(scheme="", netloc="").geturl()
        raise WrongAnswer("too many redirects")

    async def _body(self, head: str) -> bytes:
        if "chunked" in head.lower():
            return b"".join([chunk async for chunk in self._chunks()])
        length = re.search(r"^content-length: *(\d+)", head, re.I | re.M)
        return await self.reader.readexactly(int(length[1])) if length else b""

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.reader.readline(), 16):
            yield (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()


@asynccontextmanager
async def open_browser(url: str, cookies: dict[str, str] | None = None) -> AsyncIterator[Browser]:
    """Opens a browser for a site, on a new connection."""
    parts = urlsplit(url)
    connection = await asyncio.open_connection(LOOPBACK, parts.port)
    browser = Browser(parts.netloc, *connection, dict(cookies or {}))
    try:
        yield browser
    finally:
        browser.writer.close()


@dataclass(frozen=True)
class Site:
    """The site to log in to: its URL and the two paths."""

    url: str
    login: str
    callback: str
    method: str = "GET"  # of the login button; some sites need a form


@dataclass
class Login:
    """One login.

    `due` is its scheduled time, from time.perf_counter(). A failed login has an `error`.
    """

    number: int
    due: float
    steps: list[float] = field(default_factory=list)  # when its pages arrived, and its end
    error: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The time from the scheduled start to the end, in seconds."""
        return self.steps[-1] - self.due


async def log_in(site: Site, login: Login, *, clicks: int = 1) -> None:
    """Logs in, from the login page to the dashboard. With two clicks the callback is sent twice.

    Raises WrongAnswer if the result is not this user's page.
    """
    async with open_browser(site.url) as browser:
        browser.came = login.steps
        page = await browser.get(site.login, site.method)
        for _ in range(
            MAX_TRIPS_TO_CLEVER
        ):  # Clever sends a user who is logged in there straight back
            callback = _callback_from_clever(site, login, page)
            first = [
                asyncio.ensure_future(_abandoned_click(site, browser, callback))
                for _ in range(clicks - 1)
            ]
            page = await browser.follow(callback)
            for click in first:
                click.cancel()
            if page.status != 302:
                break
            clicks = 1
        if responses.first_name(login.number) not in page.body:
            raise WrongAnswer(f"status {page.status} instead of the dashboard")
        pupils = set(_PUPIL.findall(page.body)) - {responses.first_name(login.number)}
        if pupils and login.number < responses.TEACHERS:
            raise WrongPersonPage("somebody else's page")
        login.cookies = browser.cookies


def _callback_from_clever(site: Site, login: Login, sent: Page) -> str:
    """Returns Clever's redirect back to the site, with a new code and the same state."""
    query = parse_qs(urlsplit(sent.header("location")).query)
    if sent.status != 302 or "state" not in query:
        raise WrongAnswer(f"status {sent.status} instead of the way to Clever")
    nonce = query["nonce"][0] if responses.OIDC_CLIENT_ID in query["client_id"] else ""
    code = responses.new_code(login.number, secrets.token_hex(8), nonce)
    return f"{site.callback}?code={code}&state={query['state'][0]}"


async def _abandoned_click(site: Site, browser: Browser, callback: str) -> None:
    """Sends a click whose response the browser drops, because another click followed."""
    async with open_browser(site.url, browser.cookies) as first:
        await first.get(callback)


async def run_open_loop(
    numbers: Sequence[int], rate: float, do: Callable[[Login], Awaitable[None]], *, seed: int = 1
) -> list[Login]:
    """Starts `rate` logins a second at random times. Returns all logins in order of arrival."""
    gap, began = random.Random(seed), time.perf_counter()  # noqa: S311 # the same each time
    logins, tasks, due = [], [], began
    for number in numbers:
        due += gap.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        logins.append(Login(number, due))
        tasks.append(asyncio.create_task(_time_login(logins[-1], do)))
    await asyncio.gather(*tasks)
    return logins


async def _time_login(login: Login, do: Callable[[Login], Awaitable[None]]) -> None:
    try:
        await asyncio.wait_for(do(login), TIMEOUT_SECONDS)
    except (WrongAnswer, OSError, EOFError, TimeoutError) as error:
        login.error = str(error) or type(error).__name__
    login.steps.append(time.perf_counter())
