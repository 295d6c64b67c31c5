"""Flask and Authlib as in their quickstarts: no accounts, the user in a signed cookie."""

from __future__ import annotations

import os
import secrets
from typing import Any

from authlib.integrations.flask_client import OAuth
from flask import Flask, abort, redirect, session
from flask.typing import ResponseReturnValue

from bench.fake_clever import responses

CLEVER, API = os.environ["BENCH_CLEVER"], os.environ["BENCH_API"]
CALLBACK = f"{os.environ['BENCH_URL']}/callback"


def _add_token_type(response: Any) -> Any:
    """Adds a token type, which Authlib needs and Clever does not send."""
    body = response.json()
    response.json = lambda: body | {"token_type": "bearer"}
    return response


def _register_compliance_hook(client: Any) -> None:
    client.register_compliance_hook("access_token_response", _add_token_type)


app = Flask(__name__)
app.secret_key = secrets.token_hex(32)
clever = OAuth(app).register(  # type: ignore[no-untyped-call] # Authlib has no types
    "clever",
    client_id=responses.CLIENT_ID,
    client_secret=responses.CLIENT_SECRET,
    access_token_url=f"{CLEVER}/oauth/tokens",
    authorize_url=f"{CLEVER}/oauth/authorize",
    api_base_url=f"{API}/v3.0/",
    compliance_fix=_register_compliance_hook,
)


@app.get("/login")
def login() -> ResponseReturnValue:
    """Redirects to Clever."""
    response: ResponseReturnValue = clever.authorize_redirect(CALLBACK)
    return response


@app.get("/callback")
def callback() -> ResponseReturnValue:
    """Handles the callback from Clever."""
    token = clever.authorize_access_token()
    me = clever.get("me", token=token).json()
    user = clever.get(f"users/{me['data']['id']}", token=token).json()
    session["name"] = user["data"]["name"]["first"]
    return redirect("/dashboard")


@app.get("/dashboard")
def dashboard() -> ResponseReturnValue:
    """Returns the user's page."""
    return f"<h1>Hello {session['name']}</h1>" if "name" in session else abort(403)


@app.get("/healthz")
def hello() -> ResponseReturnValue:
    """Returns a public page."""
    return "hello"
