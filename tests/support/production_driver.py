"""Runs the complete production setup in a mount namespace where Clever's host names resolve here.

`unshare --mount python -m tests.support.production_driver FOLDER` expects a certificate for
HOST_NAMES in FOLDER. It bind-mounts a hosts file, starts Redis, the simulator as clever.com,
gunicorn and a TLS terminator in front of it, logs in with Chromium, and prints the results as JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, BrowserContext, Page, Response, sync_playwright

from clever_simulator.directory import sample_districts
from tests.support import running_app
from tests.support.chromium import CHROMIUM_ARGUMENTS
from tests.support.reference_app import GUNICORN_APP

CLEVER_HOST, CLEVER_API_HOST, APP_HOST = "clever.com", "api.clever.com", "reading.example.org"
HOST_NAMES = (CLEVER_HOST, CLEVER_API_HOST, APP_HOST)
AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE = (
    "authority.pem",
    "certificate.pem",
    "key.pem",
)  # files in FOLDER
TIMEOUT_MS = 60_000


class ReverseProxyHandler(BaseHTTPRequestHandler):
    """A reverse proxy like a host's router: it forwards the client's address and the scheme."""

    upstream = 0  # the app's port

    def relay(self) -> None:
        """Forward one request and return the response, then close the connection."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {k: v for k, v in self.headers.items() if not k.lower().startswith("x-")}
        headers["X-Forwarded-For"] = str(self.client_address[0])
        headers["X-Forwarded-Proto"] = "https"
        headers["Connection"] = "close"
        app = HTTPConnection("127.0.0.1", self.upstream, timeout=60)
        app.request(self.command, self.path, body, headers)
        response = app.getresponse()
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.read())
        app.close()

    do_GET = do_POST = relay  # noqa: N815 # the names that http.server calls


@contextmanager
def run_tls_terminator(folder: Path, upstream: int) -> Iterator[str]:
    """Run a TLS proxy in front of the app on a free port. Yields the app's public URL."""
    handler = type("RelayToApp", (ReverseProxyHandler,), {"upstream": upstream})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / CERTIFICATE_FILE, folder / KEY_FILE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"https://{APP_HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()


@contextmanager
def run_simulator(folder: Path, app_url: str) -> Iterator[int]:
    """Run the simulator as its README describes. Yields its port."""
    port = running_app.free_port()
    command = [sys.executable, "-m", "clever_simulator", "--port", str(port)]
    command += ["--app-url", app_url]
    command += ["--cert", str(folder / CERTIFICATE_FILE), "--key", str(folder / KEY_FILE)]
    with running_app.run_process(command, {}, folder / "simulator.log") as child:
        for name in (CLEVER_HOST, CLEVER_API_HOST):
            running_app.wait_until_answers(f"https://{name}:{port}/", child)
        yield port


@contextmanager
def run_deployed_app(folder: Path, variables: dict[str, str], url: str) -> Iterator[None]:
    """Run gunicorn with the shipped gunicorn.conf.py. Only the bind address differs: loopback."""
    bind = {"GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{variables['PORT']}"}
    command = ["gunicorn", GUNICORN_APP]
    with running_app.run_process(command, variables | bind, folder / "gunicorn.log") as child:
        running_app.wait_until_answers(f"http://127.0.0.1:{variables['PORT']}/healthz", child)
        running_app.wait_until_answers(f"{url}/healthz", child)
        yield


@contextmanager
def run_chromium(folder: Path) -> Iterator[Browser]:
    """Run a Chromium that trusts this test's key in addition to its usual certificates.

    Adding the certificate to a user's NSS database would need certutil, which may not be installed.
    """
    certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE_FILE).read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[*CHROMIUM_ARGUMENTS, f"--ignore-certificate-errors-spki-list={pin}"],
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class BrowserWalk:
    """A Chromium performing logins, and every response it received."""

    browser: Browser
    app_url: str
    clever_url: str
    responses: list[dict[str, Any]] = field(default_factory=list)

    def log_in(self, entry: Callable[[BrowserWalk, Page], None]) -> dict[str, Any]:
        """Log the student in with a fresh profile. Returns the final page and all cookies."""
        context = self.browser.new_context()
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.on("response", self._note)
        entry(self, page)
        at_clever = _cookies(context)
        page.get_by_label("User name").fill("student")
        page.get_by_label("Password").fill("clever")
        page.get_by_role("button", name="Log in", exact=True).click()
        if entry is by_portal:
            page.locator('a.tile[href*="client_id=simulator&"]').click()
        page.wait_for_url(f"{self.app_url}/**")
        code = page.locator(".adult code")
        page_facts = {
            "url": page.url,
            "heading": page.get_by_role("heading", level=1).inner_text(),
            "text": page.locator("body").inner_text(),
            "code": code.first.text_content() if code.count() else "",  # hidden, so no inner_text
            "cookies_at_clever": at_clever,
            "cookies": _cookies(context),
        }
        context.close()
        return page_facts

    def _note(self, response: Response) -> None:
        headers = response.headers
        self.responses.append(
            {
                "url": response.url,
                "status": response.status,
                "location": headers.get("location", ""),
                "hsts": headers.get("strict-transport-security", ""),
            }
        )


def by_button(walk: BrowserWalk, page: Page) -> None:
    """Go from the app's page to Clever's login form."""
    page.goto(walk.app_url)
    page.get_by_role("link", name="Log in with Clever").click()
    page.get_by_role("link", name=_district().name).click()
    page.get_by_label("User name").wait_for()


def by_portal(walk: BrowserWalk, page: Page) -> None:
    """Go to Clever's login form from the district's portal."""
    page.goto(f"{walk.clever_url}/in/{_district().shortname}")


def by_instant_login(walk: BrowserWalk, page: Page) -> None:
    """Go to Clever's login form with an Instant Login link."""
    link = f"{walk.clever_url}/oauth/instant-login?client_id=simulator"
    page.goto(f"{link}&district_id={_district().id}")


LOGIN_FLOWS = {"button": by_button, "portal": by_portal, "instant_login": by_instant_login}


def run_all_logins(folder: Path) -> dict[str, Any]:
    """Start all servers and log in: in all three ways, and again without the CA bundle."""
    port = running_app.free_port()
    with (
        run_tls_terminator(folder, port) as url,
        run_simulator(folder, url) as clever_port,
        running_app.run_redis(folder) as redis_url,
        run_chromium(folder) as browser,
    ):
        variables = {
            "APP_ENV": "production",
            "APP_URL": url,
            "PORT": str(port),
            "SECRET_KEY": os.urandom(32).hex(),
            "CLEVER_CLIENT_ID": "simulator",
            "CLEVER_CLIENT_SECRET": "simulator-secret",
            "CLEVER_URL": f"https://{CLEVER_HOST}:{clever_port}",
            "CLEVER_API_URL": f"https://{CLEVER_API_HOST}:{clever_port}",
            "REDIS_URL": redis_url,
            "TRUSTED_PROXIES": "1",
        }
        bundle = {"CLEVER_CA_BUNDLE": str(folder / AUTHORITY_FILE)}
        walk = BrowserWalk(browser, url, variables["CLEVER_URL"])
        with run_deployed_app(folder, variables | bundle, url):
            entered = {name: walk.log_in(entry) for name, entry in LOGIN_FLOWS.items()}
        with run_deployed_app(folder, variables, url):
            untrusting = walk.log_in(by_button)
    return {
        "app_url": url,
        "variables": sorted(variables | bundle),
        "entered": entered,
        "without_ca_bundle": untrusting,
        "responses": walk.responses,
    }


def _cookies(context: BrowserContext) -> list[dict[str, Any]]:
    return [dict(cookie.items()) for cookie in context.cookies()]


def _district() -> Any:
    return sample_districts.build_directory(1).person("student").district


def main() -> None:
    """Run everything in a private mount namespace.

    Elsewhere, this would replace the machine's hosts file.
    """
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped from outside"))
    hosts = folder / "hosts"
    hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in ("localhost", *HOST_NAMES)))
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
    os.environ["REQUESTS_CA_BUNDLE"] = str(folder / AUTHORITY_FILE)  # ours; no child inherits it
    print(json.dumps(run_all_logins(folder)))


if __name__ == "__main__":
    main()
