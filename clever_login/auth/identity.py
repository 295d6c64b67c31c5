"""Who logged in (`Identity`), and which account of your product is theirs (`Account`)."""

from __future__ import annotations

from dataclasses import dataclass

from clever_login.clever.models import PROVIDER, Role
from clever_login.clever.profile import Profile


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A user as Clever describes them at this login.

    `provider` and `subject` together are the key. The subject is Clever's id of the user, is the
    same at every login, and is case-sensitive. Never find users by email or name: Clever verifies
    neither, and two people may share one.
    """

    subject: str
    provider: str = PROVIDER
    app: str = "clever"
    district_id: str | None = None  # None for a Clever Library user, whose district may come later
    legacy_ids: tuple[str, ...] = ()  # one per role, from before v3 of Clever's API
    roles: tuple[Role, ...] = ()  # empty if Clever did not say
    role: Role | None = None  # the role of this login
    first_name: str = ""  # empty if Clever does not share it; do not overwrite a stored name
    last_name: str = ""
    email: str | None = None
    library: bool = False
    impersonated: bool = False  # what the link claims; anyone can forge it
    person_id: str | None = None  # the user's row in the library's tables, with Accounts or Rosters

    @classmethod
    def from_profile(
        cls, profile: Profile, *, person_id: str | None, impersonated: bool = False
    ) -> Identity:
        """Return the identity of the user whose profile a login has loaded."""
        user = profile.user
        return cls(
            subject=user.id,
            district_id=user.district_id,
            legacy_ids=user.legacy_ids,
            roles=tuple(record.role for record in user.roles),
            role=profile.role,
            first_name=user.first_name,
            last_name=user.last_name,
            email=user.email,
            library=user.district_id is None,
            impersonated=impersonated,
            person_id=person_id,
        )


@dataclass(frozen=True)
class Account:
    """An account of your product. `called` is the name that the user chose, None if never asked."""

    id: str
    called: str | None = None
