"""Accounts with an email address and a password."""

from __future__ import annotations

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_user, logout_user
from sqlalchemy import select
from werkzeug.security import check_password_hash, generate_password_hash

from lending.forms import LogInForm, SignUpForm
from lending.models import User, db

bp = Blueprint("accounts", __name__)
BLOCKED = "Your account is blocked. Please ask at the desk."


@bp.route("/sign-up", methods=["GET", "POST"])
def sign_up() -> ResponseReturnValue:
    """Create an account, and log its user in."""
    form = SignUpForm()
    if not form.validate_on_submit():
        return render_template("sign_up.html", form=form)
    if user_with_email(form.email.data):
        flash("This email address has an account. Log in instead.")
        return redirect(url_for("accounts.log_in"))
    hashed = generate_password_hash(form.password.data)
    user = User(name=form.name.data, email=form.email.data.lower(), password_hash=hashed)
    db.session.add(user)
    db.session.commit()
    enter(user)
    return redirect(url_for("desk.home"))


@bp.route("/log-in", methods=["GET", "POST"])
def log_in() -> ResponseReturnValue:
    """Log a user in, and show the page that they wanted."""
    form = LogInForm()
    if form.validate_on_submit():
        user = user_with_email(form.email.data)
        if not user or not check_password_hash(user.password_hash or "", form.password.data):
            flash("The email address or the password is wrong.")
        elif not enter(user):
            flash(BLOCKED)
        else:
            return redirect(path_in_app(request.args.get("next", "")) or url_for("desk.home"))
    return render_template("log_in.html", form=form)


@bp.post("/log-out")
def log_out() -> ResponseReturnValue:
    """Log the user out."""
    logout_user()
    return redirect(url_for("desk.home"))


def enter(user: User) -> bool:
    """Log a user in. Returns False if the library has blocked the user."""
    is_allowed = bool(login_user(user))
    current_app.logger.info("login of user %s: %s", user.id, "done" if is_allowed else "blocked")
    return is_allowed


def user_with_email(email: str) -> User | None:
    """Return the user with this email address, in upper or lower case."""
    return db.session.scalar(select(User).filter_by(email=email.lower()))


def path_in_app(path: str) -> str | None:
    """Return a path, or None for the address of another site."""
    is_path = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if is_path else None
