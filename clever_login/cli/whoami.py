"""`flask clever whoami`: describes a token and what it may read."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import click

from clever_login.api_versions import ApiVersion
from clever_login.clever.deadlines import Deadline
from clever_login.clever.district_api.district_client import DistrictClient
from clever_login.clever.models import ROLES_BY_NAME, Me
from clever_login.clever.user_client import UserClient
from clever_login.cli.output import exit_on_error
from clever_login.errors import DistrictDisconnected, LoginRefused, NotShared
from clever_login.safe_output import command_failed, echo
from clever_login.services import services

TIMEOUT_SECONDS = 30.0  # for /me and /userinfo
MAX_TOKEN_LENGTH = 4096


@dataclass(frozen=True)
class _StaticToken:
    """A token source with one token. If Clever refuses it, there is no other."""

    value: str = field(repr=False)

    def token(self, _district_id: str, *, fresh: bool = False) -> str:
        if fresh:
            raise DistrictDisconnected("Clever no longer accepts the token.")
        return self.value


@click.command("whoami")
@exit_on_error
def whoami() -> None:
    """Print what a token of Clever may read.

    Reads the token from standard input, and prints its owner, too.
    """
    token = _read_token()
    client = services().user_client(token, Deadline(TIMEOUT_SECONDS))
    try:
        me = client.me()
    except LoginRefused:
        raise command_failed("Clever does not accept this token.") from None
    reader = DistrictClient(
        transport=client.transport,
        tokens=_StaticToken(token),
        api_url=client.api_url,
        version=client.version,
        district_id=me.district_id or me.id,
    )
    for line in (*_describe_token(client, me), *_describe_access(reader, me)):
        echo(line)


def _read_token() -> str:
    if sys.stdin.isatty():
        text = click.prompt("Token", hide_input=True)
    else:
        text = sys.stdin.readline(MAX_TOKEN_LENGTH + 1)
    token = str(text).strip()
    if (
        not token.isascii()
        or not token.isprintable()
        or len(token.split()) != 1
        or len(token) > MAX_TOKEN_LENGTH
    ):
        raise click.UsageError(
            "Standard input contains no valid token. Send one token on one line."
        )
    return token


def _describe_token(client: UserClient, me: Me) -> list[str]:
    if me.type == "district":
        return ["A district's token.", f"District: {me.id}"]
    role = ROLES_BY_NAME.get(me.type) or _login_role(client, me.id)
    return [
        "A person's token.",
        f"Person: {me.id}",
        f"Role of this login: {role or 'not shared by Clever'}",
        f"District: {me.district_id or 'none (Clever Library users have no district)'}",
    ]


def _login_role(client: UserClient, person_id: str) -> str | None:
    try:
        return client.login_role(person_id)
    except NotShared:
        return None


def _describe_access(reader: DistrictClient, me: Me) -> list[str]:
    paths = (
        _describe_district_access(reader.version)
        if me.type == "district"
        else _describe_person_access(reader.version, me)
    )
    return [f"{'may read' if reader.can_read(path) else 'may not read'}\t{path}" for path in paths]


def _describe_district_access(version: ApiVersion) -> list[str]:
    endpoints = [*version.lists.values()]
    return [
        *dict.fromkeys(
            f"{endpoint.path}?limit=1" if "limit" in endpoint.parameters else endpoint.path
            for endpoint in endpoints
        ),
        "/events?limit=1",
    ]


def _describe_person_access(version: ApiVersion, me: Me) -> list[str]:
    user_path = version.user_paths.get(me.type)
    paths = (
        [user_path.format(id=me.id), f"{user_path.format(id=me.id)}/sections"] if user_path else []
    )
    return [*paths, *([f"/districts/{me.district_id}"] if me.district_id else [])]
