"""Ends sessions in the store, as after an archived account, an erasure, or a revoked device.

A session's key holds the pseudonyms of its district and user, so ending sessions reads no values.
"""

from __future__ import annotations

from collections.abc import Iterable

from clever_login.logs.pseudonyms import pseudonym
from clever_login.services import services


def end_sessions(
    *, district_id: str | None = None, account_id: str | None = None, person_id: str | None = None
) -> int:
    """End the sessions of a district, an account or a person, in all browsers.

    `person_id` is the id of the user's row in our tables. With several arguments, only sessions
    that match all of them end. Returns their number. Raises TypeError without an argument, and
    StoreUnavailable.
    """
    names = {"district": district_id, "account": account_id, "row": person_id}
    ids = {kind: value for kind, value in names.items() if value is not None}
    if not ids:
        raise TypeError("end_sessions() needs district_id, account_id, or person_id")
    return sum(
        by_pseudonym(**{kind: pseudonym(secret, kind, value) for kind, value in ids.items()})
        for secret in services().settings.secrets
    )


def by_pseudonym(
    *, district: str = "*", person: str = "*", account: str = "*", row: str = "*"
) -> int:
    """End the sessions of these pseudonyms, by default all sessions. Returns their number."""
    return services().store.delete_matching(f"session-{district}-{person}-{account}-{row}-*")


def by_clever_id(*, people: Iterable[str] = (), district_id: str | None = None) -> int:
    """End the sessions of these users, and of all users of a district. Returns their number.

    Sessions that a former secret key sealed are ended, too. One scan of the store is enough for any
    number of users.
    """
    secrets = services().settings.secrets
    ended = 0
    if names := {
        pseudonym(secret, "person", clever_id) for clever_id in people for secret in secrets
    }:
        ended += services().store.delete_matching(
            "session-*-*-*", lambda key: key.split("-")[2] in names
        )
    if district_id is not None:
        for secret in secrets:
            ended += by_pseudonym(district=pseudonym(secret, "district", district_id))
    return ended
