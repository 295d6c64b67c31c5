"""What a login does with the library's tables, which are imported at the first login."""

from __future__ import annotations

from clever_login import services
from clever_login.accounts import preferred_name
from clever_login.auth.account_hooks import PersonRow
from clever_login.auth.last_known import LastKnown
from clever_login.clever.models import User
from clever_login.clever.user_client import SharedSection


def find_person(user: User) -> PersonRow:
    """Return the row of a user, which is created at the first login."""
    from clever_login.accounts.account_lookup import find_or_create_account

    return find_or_create_account(user)


def find_account(user: User) -> PersonRow:
    """Return the row as an account, and ask for a preferred name after the login if it is new."""
    account = find_person(user)
    if account.called is None and services.services().settings.ask_preferred_name:
        preferred_name.ask_after_login()
    return account


def find_last_known(user: User) -> LastKnown | None:
    """Return what the database knows of a user whose record Clever does not send."""
    from clever_login.accounts import last_known

    return last_known.find_last_known(user)


def save_sections(teacher_id: str, sections: tuple[SharedSection, ...]) -> None:
    """Store the sections that a Clever Library teacher shares."""
    from clever_login.accounts.library_sections import save_sections

    save_sections(teacher_id, sections)


def save_account_id(person_id: str, account_id: str) -> None:
    """Store the id of the product's account in the row of a user."""
    from clever_login.accounts import account_lookup

    account_lookup.save_account_id(person_id, account_id)
