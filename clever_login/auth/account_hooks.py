"""The functions that a login calls: the product's own, and those of the chosen parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app
from flask.typing import ResponseReturnValue

from clever_login.auth.identity import Account, Identity
from clever_login.auth.last_known import LastKnown
from clever_login.clever.models import User
from clever_login.clever.user_client import SharedSection

_KEY = "clever_login_account_hooks"
MAX_ID_LENGTH = 255  # of an account id; the column has this size


@dataclass(frozen=True)
class PersonRow(Account):
    """The row of a user in the library's tables.

    `account_id` is what the product's `find_or_create` returned at the last login, else None.
    """

    account_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class AccountHooks:
    """What happens with a user whom Clever has identified.

    `find_person`, `find_last_known`, and `save_sections` belong to the library's tables. The first
    returns the user's row. The second returns what the row said before this login, for a user whose
    record Clever does not send. The third stores the sections that a Clever Library teacher shares.
    `save_account_id` stores the id that the product returned, by the id of the row. The others are
    the product's. Without `find_or_create`, the account is the row, or Clever's id without tables.
    """

    find_person: Callable[[User], Account] | None = None
    find_last_known: Callable[[User], LastKnown | None] | None = None
    save_sections: Callable[[str, tuple[SharedSection, ...]], None] | None = None
    save_account_id: Callable[[str, str], None] | None = None
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
        if not isinstance(account, Account) or not _is_valid_id(account.id):
            raise TypeError(
                "find_or_create must return an id as a string of 1 to "
                f"{MAX_ID_LENGTH} characters, or an Account with one"
            )
        is_new = isinstance(person, PersonRow) and person.account_id != account.id
        if person and is_new and self.save_account_id:
            self.save_account_id(person.id, account.id)
        return account


def account_hooks() -> AccountHooks:
    """Return the hooks of the current app."""
    return cast(AccountHooks, current_app.extensions[_KEY])


def _is_valid_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_ID_LENGTH
