"""An open loop of logins: each begins when it is due, whether others are answered or not.

A login's time counts from when it was due: a server that stalls is charged with all who came.
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
MAX_REDIRECTS, MAX_TRIPS_TO_CLEVER = 4, 3  # redirects in a row, ways to Clever and back
REQUEST_HEADERS = (
    "Accept: text/html\r\nAccept-Encoding: gzip\r\nSec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Dest: document\r\nSec-Fetch-Site: cross-site\r\n"
)
_PUPIL = re.compile(r"Pupil\d*")
_SET_COOKIE_PATTERN = re.compile(r"^set-cookie: *([^=;\s]+)=([^;\r]*)", re.I | re.M)


class WrongAnswer(Exception):
    """An answer that is not the one for this person."""


class WrongPersonPage(WrongAnswer):
    """A page with the name of another person: what must never be."""


@dataclass(frozen=True)
class Page:
    """An answer."""

    status: int
    head: str
    body: str

    def header(self, name: str) -> str:
        """A header, or nothing."""
        found = re.search(rf"^{name}: *([^\r]*)", self.head, re.I | re.M)
        return found[1] if found else ""


@dataclass
class Browser:
    """One person's browser: a connection that is kept alive, and cookies."""

    host: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    cookies: dict[str, str] = field(default_factory=dict)
    came: list[float] = field(default_factory=list)  # when each page had come
    hung_up: bool = False  # the site has, as it said: what is next needs a new connection

    async def get(self, target: str, method: str = "GET") -> Page:
        """One page; redirects are not followed."""
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
        """A page, by way of this site's redirects."""
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
    """A browser at a site, on a new connection."""
    parts = urlsplit(url)
    connection = await asyncio.open_connection(LOOPBACK, parts.port)
    here = Browser(parts.netloc, *connection, dict(cookies or {}))
    try:
        yield here
    finally:
        here.writer.close()


@dataclass(frozen=True)
class Site:
    """Where somebody logs in: the address, and the two paths."""

    url: str
    login: str
    callback: str
    method: str = "GET"  # of the button: some want a form


@dataclass
class Login:
    """One login: when it was due and ended (seconds of one clock), and how; `error` if badly."""

    number: int
    due: float
    steps: list[float] = field(default_factory=list)  # when its pages had come, and its end
    error: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """From when it was due to its end."""
        return self.steps[-1] - self.due


async def log_in(site: Site, login: Login, *, clicks: int = 1) -> None:
    """From the login page to the own dashboard; with two clicks the callback comes twice."""
    async with open_browser(site.url) as here:
        here.came = login.steps
        page = await here.get(site.login, site.method)
        for _ in range(
            MAX_TRIPS_TO_CLEVER
        ):  # who is logged in at Clever is sent back by it each time
            callback = _callback_from_clever(site, login, page)
            first = [
                asyncio.ensure_future(_abandoned_click(site, here, callback))
                for _ in range(clicks - 1)
            ]
            page = await here.follow(callback)
            for each in first:
                each.cancel()
            if page.status != 302:
                break
            clicks = 1
        if responses.first_name(login.number) not in page.body:
            raise WrongAnswer(f"status {page.status} instead of the own page")
        pupils = set(_PUPIL.findall(page.body)) - {responses.first_name(login.number)}
        if pupils and login.number < responses.TEACHERS:
            raise WrongPersonPage("somebody else's page")
        login.cookies = here.cookies


def _callback_from_clever(site: Site, login: Login, sent: Page) -> str:
    """Where Clever sends whoever was sent to it: back, with a new code and the same state."""
    query = parse_qs(urlsplit(sent.header("location")).query)
    if sent.status != 302 or "state" not in query:
        raise WrongAnswer(f"status {sent.status} instead of the way to Clever")
    nonce = query["nonce"][0] if responses.OIDC_CLIENT_ID in query["client_id"] else ""
    code = responses.new_code(login.number, secrets.token_hex(8), nonce)
    return f"{site.callback}?code={code}&state={query['state'][0]}"


async def _abandoned_click(site: Site, here: Browser, callback: str) -> None:
    """A click whose answer the browser drops, since another came after it."""
    async with open_browser(site.url, here.cookies) as first:
        await first.get(callback)


async def run_open_loop(
    numbers: Sequence[int], rate: float, do: Callable[[Login], Awaitable[None]], *, seed: int = 1
) -> list[Login]:
    """So many logins a second, at random moments; all of them, in the order in which they came."""
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
