"""`flask clever whoami`: what a token is, and what it may read."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import click

from clever_login.api.client import Client
from clever_login.api.deadline import Deadline
from clever_login.api.district_client import DistrictClient
from clever_login.api.versions import Version
from clever_login.cli_data import in_a_sentence
from clever_login.errors import DistrictGone, LoginRefused, NotShared
from clever_login.models import ROLES_BY_NAME, Me
from clever_login.services import services
from clever_login.terminal import failure, say

SECONDS = 30.0  # for /me and /userinfo
LONGEST_TOKEN = 4096


@dataclass(frozen=True)
class _Given:
    """The one token there is; when it is refused there is no other."""

    value: str = field(repr=False)

    def token(self, _district_id: str, *, anew: bool = False) -> str:
        if anew:
            raise DistrictGone("Clever no longer accepts the token.")
        return self.value


@click.command("whoami")
@in_a_sentence
def whoami() -> None:
    """Read a token from standard input, and say what it is and what it may read."""
    token = _from_standard_input()
    client = services().client(token, Deadline(SECONDS))
    try:
        me = client.me()
    except LoginRefused:
        raise failure("Clever does not accept this token.") from None
    reader = DistrictClient(
        transport=client.transport,
        tokens=_Given(token),
        api_url=client.api_url,
        version=client.version,
        district_id=me.district_id or me.id,
    )
    for line in (*_about(client, me), *_reach(reader, me)):
        say(line)


def _from_standard_input() -> str:
    if sys.stdin.isatty():
        given = click.prompt("Token", hide_input=True)
    else:
        given = sys.stdin.readline(LONGEST_TOKEN + 1)
    token = str(given).strip()
    if (
        not token.isascii()
        or not token.isprintable()
        or len(token.split()) != 1
        or len(token) > LONGEST_TOKEN
    ):
        raise click.UsageError("Standard input holds no token.")
    return token


def _about(client: Client, me: Me) -> list[str]:
    if me.type == "district":
        return ["A district's token.", f"District: {me.id}"]
    role = ROLES_BY_NAME.get(me.type) or _login_role(client, me.id)
    return [
        "A person's token.",
        f"Person: {me.id}",
        f"Role of this login: {role or 'not said'}",
        f"District: {me.district_id or 'none, as with Clever Library'}",
    ]


def _login_role(client: Client, person_id: str) -> str | None:
    try:
        return client.login_role(person_id)
    except NotShared:
        return None


def _reach(reader: DistrictClient, me: Me) -> list[str]:
    paths = (
        _of_a_district(reader.version)
        if me.type == "district"
        else _of_a_person(reader.version, me)
    )
    return [f"{'may read' if reader.can_read(path) else 'may not read'}\t{path}" for path in paths]


def _of_a_district(version: Version) -> list[str]:
    listings = [*version.lists.values()]
    return [
        *dict.fromkeys(
            f"{each.path}?limit=1" if "limit" in each.parameters else each.path for each in listings
        ),
        "/events?limit=1",
    ]


def _of_a_person(version: Version, me: Me) -> list[str]:
    own = version.user_paths.get(me.type)
    paths = [own.format(id=me.id), f"{own.format(id=me.id)}/sections"] if own else []
    return [*paths, *([f"/districts/{me.district_id}"] if me.district_id else [])]
