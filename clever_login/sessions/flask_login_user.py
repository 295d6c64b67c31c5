"""The user of Flask-Login, if the app uses it: the default of `current_account` and `on_logout`."""

from __future__ import annotations

from flask import current_app


def account_id() -> str | None:
    """Return the id of Flask-Login's user, or None if there is no user or no Flask-Login."""
    if not is_used():
        return None
    from flask_login import current_user

    account_id: str | None = current_user.get_id()
    return account_id


def log_out() -> None:
    """Log Flask-Login's user out, and delete the cookie that remembers the user."""
    if is_used():
        from flask_login import logout_user

        logout_user()


def is_used() -> bool:
    """Whether the app uses Flask-Login, which finds its own manager by this attribute, too."""
    return hasattr(current_app, "login_manager")
