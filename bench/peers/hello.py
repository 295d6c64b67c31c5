"""The floor of a signed-in page: a greeting, with a Flask-Session session in Redis."""

from __future__ import annotations

import os

from flask import Flask, session
from flask.typing import ResponseReturnValue
from flask_session import Session
from redis import Redis

app = Flask(__name__)
app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(os.environ["BENCH_REDIS"]))
Session(app)


@app.get("/login")
def login() -> ResponseReturnValue:
    """Starts a session."""
    session["name"] = "Pupil"
    return "in"


@app.get("/dashboard")
def dashboard() -> ResponseReturnValue:
    """Returns the user's page."""
    return f"<h1>Hello {session['name']}</h1>"


@app.get("/healthz")
def hello() -> ResponseReturnValue:
    """Returns a public page."""
    return "hello"
