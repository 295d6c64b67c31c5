"""The functions that you replace: what your product does with a person who has logged in.

Write your own in a file beside `app.py`, and import it there instead of this one.
"""

from __future__ import annotations

from dataclasses import dataclass

from clever_login.clever.models import User
from clever_login.clever.user_client import SharedSection


@dataclass(frozen=True)
class Account:
    """A person in your product; the id is what your own tables refer to."""

    id: str
    preferred_name: str | None = None  # what they want to be called; None: nobody has asked


def find_or_create(user: User) -> Account:
    """The account of this person, made if there is none; called once a login, after every check.

    `user.id` is the key: it is Clever's, and it is the same in every later login. Never match by
    email or name: Clever does not verify them, and two people may share one. `user.legacy_ids` are
    the ids from before v3 of Clever's API, for apps that have kept those. Who comes by Clever
    Library has no district; if their district connects, they come with it, by the same id.

    Name, email and roles are empty when Clever does not share them or could not be read just now:
    do not write that emptiness over what you have. Raise `errors.AccountRefused("...")` to turn
    somebody away with a sentence that they will read. Views find the id, as text, in
    `current_user().account_id`.
    """
    return Account(id=user.id)


def keep_sections(account: Account, sections: tuple[SharedSection, ...]) -> None:
    """Keep what a Clever Library teacher shares; called at each of their logins, after the above.

    A section's students may log in before this teacher ever comes back, each by the same id.
    """
