"""Lending Desk: a school library lends cameras, calculators, and other equipment."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask, render_template
from flask.typing import ResponseReturnValue
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_wtf import CSRFProtect
from werkzeug.exceptions import HTTPException

from clever_login import AccountRefused, CleverLogin, Identity
from lending import accounts, desk, hooks
from lending.models import User, db

csrf = CSRFProtect()
logins = LoginManager()
logins.login_view = "accounts.log_in"
migrate = Migrate(directory=str(Path(__file__).parent.parent / "migrations"))


@logins.user_loader
def load_user(user_id: str) -> User | None:
    """Return the user of a session, or None if the account was deleted."""
    return db.session.get(User, int(user_id))


def log_in_with_clever(identity: Identity) -> None:
    if not accounts.enter(User.find_or_add(identity.first_name, clever_id=identity.subject)):
        raise AccountRefused(accounts.BLOCKED)


def create_app() -> Flask:
    """Create the app. Its configuration is in the environment, see development.env."""
    app = Flask(__name__, instance_path=os.environ.get("INSTANCE_PATH"))
    app.config.from_prefixed_env()
    db.init_app(app)
    migrate.init_app(app, db)
    logins.init_app(app)
    csrf.init_app(app)
    app.register_blueprint(accounts.bp)
    app.register_blueprint(desk.bp)
    app.register_blueprint(hooks.bp)
    csrf.exempt(hooks.bp)  # its requests come from a machine, and are signed
    app.register_error_handler(HTTPException, show_error)
    CleverLogin(app, on_login=log_in_with_clever)
    return app


def show_error(error: HTTPException) -> ResponseReturnValue:
    """Show every error on a page of the app. A crash is a 500."""
    return render_template("error.html", error=error), error.code or 500
