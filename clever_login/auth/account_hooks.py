"""The functions that a login calls: the product's own, and those of the chosen parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app
from flask.typing import ResponseReturnValue

from clever_login.auth.identity import Account, Identity
from clever_login.clever.models import User
from clever_login.clever.user_client import SharedSection

_KEY = "clever_login_account_hooks"


@dataclass(frozen=True, kw_only=True)
class AccountHooks:
    """What happens with a user whom Clever has identified.

    `find_person` and `save_sections` belong to the library's tables: the first returns the user's
    row, and the second stores the sections that a Clever Library teacher shares. The others are the
    product's. Without `find_or_create`, the account is the row, or Clever's id without tables.
    """

    find_person: Callable[[User], Account] | None = None
    save_sections: Callable[[str, tuple[SharedSection, ...]], None] | None = None
    find_or_create: Callable[[Identity], str | Account] | None = None
    on_login: Callable[[Identity], ResponseReturnValue | None] | None = None
    on_link: Callable[[str, Identity], None] | None = None

    def install(self, app: Flask) -> None:
        """Make every login of this app call these functions."""
        app.extensions[_KEY] = self

    @property
    def accounts_are_people(self) -> bool:
        """Whether the account of a user is their row in the library's tables."""
        return self.find_person is not None and self.find_or_create is None

    def account(self, identity: Identity, person: Account | None) -> Account:
        """Return the account of a user. `person` is their row, if the app has the tables.

        Raises AccountRefused, and TypeError if the product's function returns no id.
        """
        if self.find_or_create is None:
            return person or Account(id=identity.subject)
        account = self.find_or_create(identity)
        if isinstance(account, str):
            account = Account(id=account)
        if not isinstance(account, Account) or not account.id or not isinstance(account.id, str):
            raise TypeError("find_or_create must return an id as a string, or an Account with one")
        return account


def account_hooks() -> AccountHooks:
    """Return the hooks of the current app."""
    return cast(AccountHooks, current_app.extensions[_KEY])
