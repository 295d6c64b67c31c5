"""`flask clever forget`, `export`, `retention`: what a family or a district may ask for."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import click
from flask.cli import with_appcontext

from clever_login import logs
from clever_login.errors import DatabaseUnavailable, StoreUnavailable
from clever_login.pseudonyms import pseudonym
from clever_login.school import privacy
from clever_login.school.erasing import Rows
from clever_login.school.privacy import Receipt
from clever_login.services import services
from clever_login.terminal import failure, say, say_json

P = ParamSpec("P")
NOBODY = "Nobody here has this id; it can be Clever's or ours."
SHARED = (
    "Clever still shares them with this app: the next sync or login makes a new account, with",
    "nothing of the old one. To keep them out, the district stops sharing first.",
)


def in_a_sentence(command: Callable[P, None]) -> Callable[P, None]:
    """A command that ends with a sentence when the database or the session store is down."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except DatabaseUnavailable as error:
            raise failure(f"Nothing was changed: {error}.") from None
        except StoreUnavailable:
            raise failure("Nothing was changed: the session store does not answer.") from None

    return with_appcontext(guarded)


@click.command("forget")
@click.option("--user", metavar="ID", help="One person, by Clever's id or ours.")
@click.option("--district", metavar="ID", help="A district, and everybody in it.")
@click.option("--yes", is_flag=True, help="Do not ask before a district is forgotten.")
@in_a_sentence
def forget(user: str | None, district: str | None, yes: bool) -> None:
    """Remove every row of a person or a district, end their sessions, and print a receipt."""
    if (user is None) == (district is None):
        raise click.UsageError("Say whom: --user ID or --district ID.")
    if district is not None:
        if not yes:
            click.confirm("Everybody in this district is removed for good. Go on?", abort=True)
        _receipt("district", privacy.forget_district(district))
    elif user is not None:
        _receipt("person", privacy.forget_person(user))


@click.command("export")
@click.option("--user", metavar="ID", required=True, help="One person, by Clever's id or ours.")
@in_a_sentence
def export(user: str) -> None:
    """Print all that is held of a person, as JSON."""
    found = privacy.export(user)
    if found is None:
        raise failure(NOBODY)
    logs.event("exported", person=_pseudonym("person", found["person"]["clever_id"]))
    say_json(found, indent=2, readable=True)


@click.command("retention")
@click.option("--yes", is_flag=True, help="Remove them; else they are counted and stay.")
@in_a_sentence
def retention(yes: bool) -> None:
    """Remove what has been archived for longer than RETENTION_DAYS; for the scheduler."""
    days = services().settings.retention_days
    rows = privacy.past_its_date(days, remove=yes)
    _say_rows(rows)
    if yes:
        logs.event("retention", rows=rows.total())
        say(f"Removed: archived for more than {days} days, or past its own date.")
    else:
        say(f"Nothing was removed. With --yes these rows go: past {days} days.")


def _receipt(kind: str, receipt: Receipt) -> None:
    """The receipt; whom it is about is told by the name that the log has, too."""
    name = _pseudonym(kind, receipt.clever_id)
    fields = {"rows": receipt.rows.total(), "sessions": receipt.sessions}
    logs.event("forgotten", kind=kind, subject=name, **fields)
    say(f"Forgotten: {kind} {name}, at {receipt.at.isoformat(timespec='seconds')}")
    _say_rows(receipt.rows)
    say(f"{'sessions':16}{receipt.sessions:>8}")
    if not receipt.known:
        raise failure(NOBODY)
    if receipt.shared:
        for line in SHARED:
            say(line)


def _say_rows(rows: Rows) -> None:
    for table, count in sorted(rows.items()):
        say(f"{table:16}{count:>8}")


def _pseudonym(kind: str, clever_id: str | None) -> str:
    return pseudonym(services().settings.secret_key, kind, clever_id)
