"""Who is archived is logged out."""

from __future__ import annotations

from collections.abc import Iterable

from clever_login import session
from clever_login.pseudonyms import pseudonym
from clever_login.services import services


def end_sessions_of(people: Iterable[str]) -> int:
    """End the sessions of these Clever ids; how many there were."""
    secrets = services().settings.secrets
    return session.end_sessions_of(
        {pseudonym(secret, "person", each) for each in people for secret in secrets}
    )


def name_of_district(district_id: str) -> str:
    """By which a district goes in the log."""
    return pseudonym(services().settings.secrets[0], "district", district_id)


def end_sessions_in(district_id: str) -> int:
    """End the sessions of everybody in a district; how many there were."""
    secrets = services().settings.secrets
    return sum(
        session.end_sessions(district=pseudonym(each, "district", district_id)) for each in secrets
    )
