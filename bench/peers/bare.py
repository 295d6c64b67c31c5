"""The floor: three bare Flask responses, and four bare calls to Clever on open connections.

It checks nothing and stores nothing.
"""

from __future__ import annotations

import os
import secrets
from urllib.parse import quote

import requests
from flask import Flask, redirect, request
from flask.typing import ResponseReturnValue

from bench.fake_clever import responses

CLEVER, API = os.environ["BENCH_CLEVER"], os.environ["BENCH_API"]
CALLBACK = f"{os.environ['BENCH_URL']}/callback"
AUTHORIZE = (
    f"{CLEVER}/oauth/authorize?client_id={responses.CLIENT_ID}&redirect_uri={quote(CALLBACK)}"
)
http = requests.Session()
http.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=32))

app = Flask(__name__)


@app.get("/login")
def login() -> ResponseReturnValue:
    """Redirects to Clever."""
    return redirect(f"{AUTHORIZE}&state={secrets.token_urlsafe(32)}")


@app.get("/callback")
def callback() -> ResponseReturnValue:
    """Makes the four calls that every login needs."""
    parts = {"grant_type": "authorization_code", "code": request.args["code"]}
    data, secret = (
        parts | {"redirect_uri": CALLBACK},
        (responses.CLIENT_ID, responses.CLIENT_SECRET),
    )
    token = http.post(f"{CLEVER}/oauth/tokens", data=data, auth=secret, timeout=5).json()
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    me = _get("me", bearer)
    user = _get(f"users/{me['data']['id']}", bearer)
    _get(f"schools/{user['data']['roles']['student']['school']}", bearer)
    return redirect(f"/dashboard?name={user['data']['name']['first']}")


def _get(path: str, bearer: dict[str, str]) -> responses.Json:
    body: responses.Json = http.get(f"{API}/v3.0/{path}", headers=bearer, timeout=5).json()
    return body


@app.get("/dashboard")
def dashboard() -> ResponseReturnValue:
    """Returns a page."""
    return f"<h1>Hello {request.args['name']}</h1>"


@app.get("/healthz")
def hello() -> ResponseReturnValue:
    """Returns a public page."""
    return "hello"
