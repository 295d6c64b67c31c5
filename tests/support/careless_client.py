"""A small Clever client of its own, which makes the mistakes that a test asks for."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Flask, redirect, request, session
from flask.typing import ResponseReturnValue

from tests.support.served_app import serve

CLIENT = ("careless", "a secret of the careless client")  # test value
CONSTANT_STATE = "1" * 32


class CarelessClient:
    """The views of an app that makes some mistakes."""

    def __init__(self, clever_url: str, mistakes: frozenset[str]) -> None:
        self.clever_url, self.mistakes = clever_url, mistakes
        self.tokens: dict[str, str] = {}  # by code

    def login(self) -> ResponseReturnValue:
        """Send the browser to Clever."""
        session["state"] = self._new_state()
        query = {
            "response_type": "code",
            "client_id": CLIENT[0],
            "redirect_uri": f"{request.host_url}callback",
            "state": session["state"],
        }
        if "no state" in self.mistakes:
            del query["state"]
        return redirect(f"{self.clever_url}/oauth/authorize?{urlencode(query)}")

    def callback(self) -> ResponseReturnValue:
        """Take the browser back."""
        return self._early_answer() or self._exchange(request.args["code"])

    def page(self) -> str:
        """The page of a user."""
        return f"Hello {session.get('name', 'stranger')}"

    def logout(self) -> str:
        """End the session."""
        if "does not log out" not in self.mistakes:
            session.clear()
        return "Goodbye"

    def _new_state(self) -> str:
        return CONSTANT_STATE if "constant state" in self.mistakes else secrets.token_hex(16)

    def _early_answer(self) -> ResponseReturnValue | None:
        if "keeps the first user" in self.mistakes and "name" in session:
            return redirect("/page")
        if "no impersonation" in self.mistakes and "loginas_by_admin" in request.args:
            return "refused", 403
        if "code" not in request.args:
            if "error page is a bug" in self.mistakes:
                raise KeyError("code")
            return "no code", 400
        return self._answer_to_wrong_state()

    def _answer_to_wrong_state(self) -> ResponseReturnValue | None:
        state = request.args.get("state")
        if "no state" in self.mistakes or (state and state == session.get("state")):
            return None
        if state is not None:
            return None if "ignores the state" in self.mistakes else ("another state", 400)
        if "accepts the Portal's code" in self.mistakes:
            return None
        return ("no state", 400) if "refuses the Portal" in self.mistakes else self.login()

    def _exchange(self, code: str) -> ResponseReturnValue:
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{request.host_url}callback",
        }
        url = f"{self.clever_url}/oauth/tokens"
        answer = requests.post(url, data=body, auth=CLIENT, timeout=10)
        if answer.status_code == 200:
            self.tokens[code] = answer.json()["access_token"]
        elif "remembers codes" not in self.mistakes or code not in self.tokens:
            return self._answer_to_refusal(answer)
        return self._log_in(self.tokens[code])

    def _answer_to_refusal(self, answer: requests.Response) -> ResponseReturnValue:
        if "a refusal is a bug" in self.mistakes:
            answer.raise_for_status()
        return redirect("/page") if "name" in session else ("Clever refused", 400)

    def _log_in(self, token: str) -> ResponseReturnValue:
        user = self._read("/v3.0/users/" + self._read("/v3.0/me", token)["id"], token)
        if "needs an email address" in self.mistakes:
            user["email"].split("@")
        session["name"] = user["name"]["first"]
        if "shows tokens" in self.mistakes:
            session["name"] += f" {token}"
        return self.page() if "stays at the callback" in self.mistakes else redirect("/page")

    def _read(self, path: str, token: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(self.clever_url + path, headers=headers, timeout=10)
        data: dict[str, Any] = answer.json()["data"]
        return data


@contextmanager
def run_client(clever_url: str, *mistakes: str) -> Iterator[str]:
    """Serve /login, /callback, /page, and /logout on a free port, and yield the URL."""
    app, client = Flask(__name__), CarelessClient(clever_url, frozenset(mistakes))
    app.config.update(SECRET_KEY=secrets.token_hex(16), SESSION_COOKIE_NAME="careless")
    for view in (client.login, client.callback, client.page, client.logout):
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    with serve(app) as url:
        yield url
