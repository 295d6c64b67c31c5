"""Answers the calls that a login sends to Clever, for one user, in the same process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask

from clever_login.clever.deadlines import Deadline
from clever_login.clever.http import LOGIN_LIMITS, HttpClient, ResponseLimits
from clever_login.clever.models import Role
from clever_login.clever.profile import RecordCache
from clever_login.clever.retries import CleverResponse
from clever_login.services import services

T = TypeVar("T")
API_VERSION = "v3.0"  # whatever the app uses: a login creates the same account in each version


@dataclass(frozen=True, kw_only=True)
class CleverUser:
    """A user as Clever describes them.

    `roles` maps each role to the ids of its schools, and `schools` maps the ids to names.
    """

    subject: str
    district_id: str
    district_name: str
    roles: dict[Role, tuple[str, ...]]
    role: Role | None
    first_name: str
    last_name: str
    email: str | None
    schools: dict[str, str]

    def answers(self) -> dict[str, dict[str, Any]]:
        """Return the body of each of Clever's responses, by path."""
        me = {"id": self.subject, "district": self.district_id, "authorized_by": "district"}
        district = {"id": self.district_id, "name": self.district_name}
        schools = {
            f"/{API_VERSION}/schools/{school_id}": {
                "data": {"id": school_id, "district": self.district_id, "name": name}
            }
            for school_id, name in self.schools.items()
        }
        return {
            "/oauth/tokens": {"access_token": "token-of-a-test", "token_type": "bearer"},
            f"/{API_VERSION}/me": {"type": "user", "data": me},
            f"/{API_VERSION}/users/{self.subject}": {"data": self._record()},
            f"/{API_VERSION}/districts/{self.district_id}": {"data": district},
            "/userinfo": {"sub": self.subject, "user_type": self.role},
            **schools,
        }

    def _record(self) -> dict[str, Any]:
        return {
            "id": self.subject,
            "district": self.district_id,
            "name": {"first": self.first_name, "last": self.last_name},
            "email": self.email,
            "roles": {
                role: {"school": schools[0], "schools": [*schools]} if schools else {}
                for role, schools in self.roles.items()
            },
        }


class _StandIn(HttpClient):
    """The HTTP client of an app whose Clever knows one user and anything it asks about them."""

    def __init__(self, user: CleverUser) -> None:
        super().__init__()
        self._answers = user.answers()

    def send(
        self,
        request: Any,
        deadline: Deadline,  # noqa: ARG002 # HttpClient has it
        bounds: ResponseLimits = LOGIN_LIMITS,  # noqa: ARG002 # HttpClient has it
    ) -> CleverResponse:
        """Answer one request. Nothing is sent."""
        body = self._answers.get(urlsplit(str(request.url)).path)
        return CleverResponse.of_json(200 if body else 404, body or {})

    def start(self, call: Callable[[], T]) -> Future[T]:
        """Run a call now."""
        future: Future[T] = Future()
        future.set_result(call())
        return future


@contextmanager
def clever_with(app: Flask, user: CleverUser) -> Iterator[None]:
    """Answer this app's calls to Clever in this block. Nobody but `user` can log in meanwhile."""
    former = services(app)
    settings = replace(
        former.settings,
        clever_api_version=API_VERSION,
        clever_oidc=False,
        clever_library=False,
    )
    app.extensions["clever_login"] = replace(
        former,
        settings=settings,
        transport=_StandIn(user),
        record_cache=RecordCache(),
    )
    try:
        yield
    finally:
        app.extensions["clever_login"] = former
