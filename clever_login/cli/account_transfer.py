"""`flask clever accounts import|export`: users from another library, or all users."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO
from typing import TextIO

import click
from flask.cli import AppGroup, with_appcontext

from clever_login.accounts import account_export, account_import
from clever_login.accounts.account_import import ACCEPTED, ImportFileError, ImportResult
from clever_login.errors import DatabaseUnavailable
from clever_login.logs.events import log_event
from clever_login.safe_output import command_failed, echo

MAX_REFUSED_LINES = 50


@click.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option("--commit", is_flag=True, help="Store the rows. Without it, only check them.")
@with_appcontext
def import_accounts(file: TextIO, commit: bool) -> None:
    """Import accounts from a CSV file, or check the file.

    The columns are clever_id and account_id. Nothing is stored without --commit.

    Exits with 1 if rows were refused. Refused rows change nothing. The output contains no ids.
    """
    try:
        rows = account_import.read_rows(file)
        result = account_import.import_rows(rows, commit=commit)
    except (ImportFileError, DatabaseUnavailable) as error:
        raise command_failed(f"Nothing was imported. {str(error).removesuffix('.')}.") from None
    _echo_result(result, len(rows))
    if commit:
        log_event("accounts_imported", count=result.counts.total(), refused=len(result.refused))
    else:
        echo("Nothing was stored. To store the rows that are not refused, add --commit.")
    if result.refused:
        raise SystemExit(1)


def _echo_result(result: ImportResult, count: int) -> None:
    echo(f"{count} {'row' if count == 1 else 'rows'}")
    for outcome in ACCEPTED:
        echo(f"{result.counts[outcome]:>8} {outcome}")
    echo(f"{len(result.refused):>8} refused")
    for line, reason in result.refused[:MAX_REFUSED_LINES]:
        echo(f"line {line}: {reason}.")
    if len(result.refused) > MAX_REFUSED_LINES:
        echo(f"... and {len(result.refused) - MAX_REFUSED_LINES} more.")


@click.command("export")
@with_appcontext
def export_accounts() -> None:
    """Print all users with their Clever ids as CSV.

    The output contains personal data of students.
    """
    _echo_csv(account_export.COLUMNS)
    try:
        for row in account_export.export_accounts():
            _echo_csv(row)
    except DatabaseUnavailable as error:
        raise command_failed(f"{error}.") from None


def _echo_csv(values: Iterable[str]) -> None:
    line = StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    echo(line.getvalue())


TRANSFER_COMMANDS = (import_accounts, export_accounts)
# The commands of an app with rosters and its own accounts.
accounts = AppGroup("accounts", help="Import or export users.")
for command in TRANSFER_COMMANDS:
    accounts.add_command(command)
