"""Prints what Lending Desk answers to requests that have nothing to do with Clever.

Runs in the folder of the example, with Clever or without: `python -c "<this file>"`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from flask import Flask
from flask_migrate import upgrade

from lending import create_app

BODY = b'{"item": 1}'
ADA = {"name": "Ada", "email": "ada@example.org", "password": "difference engine"}
LOAN = {"purpose": "Art club", "days": "7"}


def start() -> Flask:
    """Create the app with an item, and with a page that crashes."""
    for line in Path("development.env").read_text().splitlines():
        name, _, value = line.partition("=")
        os.environ[name] = value
    os.environ["INSTANCE_PATH"] = tempfile.mkdtemp()
    app = create_app()
    app.add_url_rule("/crash", "crash", lambda: str(1 / 0))
    with app.app_context():
        upgrade()
    app.test_cli_runner().invoke(args=["add-items", "Camera"])
    return app


class Recorder:
    """A browser that records each answer: status, names of headers, and text."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self.answers: list[list[object]] = []

    def send(self, path: str, method: str = "GET", **parts: Any) -> str:
        """Send a request, and return the CSRF token of the answer's form."""
        got = self.client.open(path, method=method, **parts)
        form = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', got.text)
        token = form[1] if form else "no token"
        headers = sorted(name for name, _ in got.headers if name != "Content-Length")
        text = got.text.replace(token, "TOKEN")
        self.answers.append([method, path, got.status_code, headers, got.headers.get("Vary"), text])
        return token


def main() -> None:
    """Send all requests, and print the answers as JSON."""
    browser = Recorder(start())
    for path in ("/", "/loans", "/nothing/here", "/log-out", "/crash"):
        browser.send(path)
    browser.send("/sign-up", "POST", data=ADA)
    browser.send("/sign-up", "POST", data=ADA | {"csrf_token": browser.send("/sign-up")})
    browser.send("/items/1", "POST", data=LOAN)
    browser.send("/items/1", "POST", data=LOAN | {"csrf_token": browser.send("/items/1")})
    browser.send("/loans")
    browser.send("/hooks/returned", "POST", json={"item": 1})
    signature = hmac.new(os.environ["FLASK_HOOK_KEY"].encode(), BODY, hashlib.sha256).hexdigest()
    signed = {"X-Signature": signature, "Content-Type": "application/json"}
    browser.send("/hooks/returned", "POST", data=BODY, headers=signed)
    browser.send("/items/9")
    sys.stdout.write(json.dumps(browser.answers))


if __name__ == "__main__":
    main()
