"""`flask clever forget`, `export` and `retention`: requests by families and districts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import click
from flask.cli import with_appcontext

from clever_login.accounts import privacy
from clever_login.accounts.privacy import DeletionReceipt, RowCounts
from clever_login.errors import DatabaseUnavailable, ReceiverFailed, StoreUnavailable
from clever_login.logs.events import log_event
from clever_login.logs.pseudonyms import pseudonym
from clever_login.safe_output import command_failed, echo, echo_json
from clever_login.services import services

P = ParamSpec("P")
NOT_FOUND_MESSAGE = (
    "This app stores nothing under this id. Use a Clever id, or the id of an account of this app."
)
REMAINS_MESSAGE = (
    "PostgreSQL keeps deleted rows in its files until it reuses their space. PRIVACY.md, "
    '"What remains after a deletion", says what you can do.'
)
STILL_SHARED_MESSAGE = (
    "Clever still shares this person or district with this app, so the next sync or login",
    "creates new, empty accounts. To prevent that, the district must stop sharing in Clever first.",
)


def exit_on_error(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command: it exits with one sentence if a store is down or a receiver fails."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (DatabaseUnavailable, ReceiverFailed) as error:
            raise command_failed(f"Nothing was changed: {error}.") from None
        except StoreUnavailable:
            raise command_failed(
                "Nothing was changed: the session store does not answer."
            ) from None

    return with_appcontext(wrapper)


@click.command("forget")
@click.option(
    "--user", metavar="ID", help="One person: a Clever id, or the id of an account of this app."
)
@click.option(
    "--district", metavar="ID", help="The Clever id of a district. Deletes everybody in it."
)
@click.option("--yes", is_flag=True, help="Delete a district without asking for confirmation.")
@exit_on_error
def forget(user: str | None, district: str | None, yes: bool) -> None:
    """Delete all data of a person or a district.

    Ends their sessions, and prints a receipt.
    """
    if (user is None) == (district is None):
        raise click.UsageError("Choose one: --user ID or --district ID.")
    if district is not None:
        if not yes:
            click.confirm(
                "This permanently deletes all data of this district and of everybody in it. "
                "Continue?",
                abort=True,
            )
        _print_receipt("district", privacy.forget_district(district))
    elif user is not None:
        _print_receipt("person", privacy.forget_person(user))


@click.command("export")
@click.option(
    "--user",
    metavar="ID",
    required=True,
    help="One person: a Clever id, or the id of an account of this app.",
)
@exit_on_error
def export(user: str) -> None:
    """Print all stored data of a person, as JSON."""
    data = privacy.export_person(user)
    if data is None:
        raise command_failed(NOT_FOUND_MESSAGE)
    log_event("exported", person=_pseudonym("person", data["person"]["clever_id"]))
    echo_json(data, indent=2, readable=True)


@click.command("retention")
@click.option(
    "--yes", is_flag=True, help="Delete the rows. Without --yes, the rows are only counted."
)
@exit_on_error
def retention(yes: bool) -> None:
    """Delete data archived more than RETENTION_DAYS ago.

    Run it from a scheduler. Data is archived when a district stops sharing it.
    """
    days = services().settings.retention_days
    rows = privacy.apply_retention(days, remove=yes)
    _print_rows(rows)
    if yes:
        log_event("retention", rows=rows.total())
        if rows.total():
            _erase_remains()
        echo(f"Deleted: rows archived for more than {days} days, and expired links and keys.")
    else:
        echo(
            "Nothing was deleted. Run the command with --yes to delete these rows: archived "
            f"for more than {days} days, and expired links and keys."
        )


def _print_receipt(kind: str, receipt: DeletionReceipt) -> None:
    """Print the receipt, which names its subject by the same pseudonym as the log."""
    name = _pseudonym(kind, receipt.clever_id)
    fields = {"rows": receipt.rows.total(), "sessions": receipt.sessions}
    log_event("forgotten", kind=kind, subject=name, **fields)
    echo(f"Forgotten: {kind} {name}, at {receipt.deleted_at.isoformat(timespec='seconds')}")
    _print_rows(receipt.rows)
    echo(f"{'sessions':24}{receipt.sessions:>8}")
    _erase_remains()
    if not receipt.existed:
        raise command_failed(NOT_FOUND_MESSAGE)
    if privacy.is_on_postgresql():
        echo(REMAINS_MESSAGE)
    if receipt.shared:
        for line in STILL_SHARED_MESSAGE:
            echo(line)


def _erase_remains() -> None:
    """Erase what SQLite has left of deleted rows. PostgreSQL does that itself, later."""
    try:
        privacy.erase_remains()
    except DatabaseUnavailable as error:
        raise command_failed(
            f"The rows are deleted, but the database file may still contain their text: {error}. "
            "Run the command again."
        ) from None


def _print_rows(rows: RowCounts) -> None:
    for table, count in sorted(rows.items()):
        echo(f"{table:24}{count:>8}")


def _pseudonym(kind: str, clever_id: str | None) -> str:
    return pseudonym(services().settings.secret_key, kind, clever_id)
