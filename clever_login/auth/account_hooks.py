"""Account hooks: they decide what your product does with a user who logs in.

Pass your own functions to CleverLogin. The functions here are the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from clever_login.clever.models import User
from clever_login.clever.user_client import SharedSection

_KEY = "clever_login_account_hooks"


@dataclass(frozen=True)
class Account:
    """A user in your product. Your own tables refer to the id."""

    id: str
    preferred_name: str | None = None  # what the user wants to be called; None: never asked


def find_or_create(user: User) -> Account:
    """Return the user's account, creating it if needed.

    Called once per login, after every check. Views read the account's id, as text, from
    `current_user().account_id`.

    `user.id` is the key. Clever assigns it, and it is the same in every later login. Never match by
    email or name: Clever does not verify them, and two people may share one. `user.legacy_ids` are
    the ids from before v3 of Clever's API, for apps that stored those. A Clever Library user has no
    district. If that user's district connects later, the user returns with the district and the
    same id.

    Name, email, and roles are empty when Clever does not share them or could not be read. Do not
    overwrite stored values with empty ones.

    Raises `errors.AccountRefused("...")` to refuse the user, who sees the message.
    """
    return Account(id=user.id)


def keep_sections(account: Account, sections: tuple[SharedSection, ...]) -> None:
    """Store the sections that a Clever Library teacher shares.

    Called at each login of such a teacher, after `find_or_create`. A section's students may log in
    before this teacher returns, with the same ids.
    """


@dataclass(frozen=True, kw_only=True)
class AccountHooks:
    """The functions that a login calls in this app."""

    find_or_create: Callable[[User], Account] = find_or_create
    keep_sections: Callable[[Account, tuple[SharedSection, ...]], None] = keep_sections

    def install(self, app: Flask) -> None:
        """Make every login of this app call these functions."""
        app.extensions[_KEY] = self


def account_hooks() -> AccountHooks:
    """Return the hooks of the current app."""
    return cast(AccountHooks, current_app.extensions[_KEY])
