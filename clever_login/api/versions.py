"""What differs between the versions of Clever's data API, as data.

Sources: Clever's upgrade guides and its own API descriptions, v1.1 to v3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Before v3 each kind of person has a path of its own, and /me says which kind it is.
TYPED_PATHS = MappingProxyType(
    {
        "student": "/students/{id}",
        "teacher": "/teachers/{id}",
        "school_admin": "/school_admins/{id}",
        "district_admin": "/district_admins/{id}",
    }
)
# From v3 on /me says "user" for everyone, and the user record has the roles.
USER_PATHS = MappingProxyType({"user": "/users/{id}"})


@dataclass(frozen=True)
class Version:
    """One version: where a person's record is, by the type that `/me` names."""

    name: str
    user_paths: Mapping[str, str]

    @property
    def roles_in_record(self) -> bool:
        """Whether the user record lists the roles; before v3 the type is the role."""
        return self.user_paths is USER_PATHS


VERSIONS: Mapping[str, Version] = MappingProxyType(
    {
        version.name: version
        for version in (
            Version("v1.1", TYPED_PATHS),
            Version("v1.2", TYPED_PATHS),
            Version("v2.0", TYPED_PATHS),
            Version("v2.1", TYPED_PATHS),
            Version("v3.0", USER_PATHS),
            Version("v3.1", USER_PATHS),
        )
    }
)
