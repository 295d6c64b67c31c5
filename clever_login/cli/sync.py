"""`flask clever sync`: syncs the rosters, from a scheduler or by hand."""

from __future__ import annotations

import sys

import click
from sqlalchemy.exc import DBAPIError

from clever_login.cli.output import exit_on_error, validate_id
from clever_login.cli.sync_review import print_review
from clever_login.db.driver_errors import unavailable_reason
from clever_login.db.history.sync_runs import Trigger
from clever_login.errors import StoreUnavailable
from clever_login.roster_sync.job import SyncOptions, run_sync
from clever_login.roster_sync.lock import AlreadyRunning
from clever_login.safe_output import command_failed, echo

EXIT_FAILED, EXIT_REFUSED, EXIT_RUNNING = 1, 3, 4  # click exits with 2 for usage errors


@click.command("sync")
@click.option("--district", callback=validate_id, metavar="ID", help="Sync only this district.")
@click.option("--full", is_flag=True, help="Read the whole roster, not only what has changed.")
@click.option(
    "--yes",
    "confirm_archive",
    is_flag=True,
    help="Remove everything that is missing in the district, even if it is a lot.",
)
@click.option("--review", is_flag=True, help="List what is on hold, by school. Syncs nothing.")
@exit_on_error
def sync_command(district: str | None, full: bool, confirm_archive: bool, review: bool) -> None:
    """Update the rosters in the database from Clever.

    Reads schools, terms, courses, people, sections, and enrollments. If more than a tenth of the
    records of a kind, or all of them, are missing at Clever, their removal is put on hold: see
    --review. To remove them, run the command with --district ID --yes.

    Exit codes: 0 on success, 1 when a district could not be read or a signal receiver of the app
    failed, 3 when removals are on hold, 4 when another sync is running.
    """
    if review:
        print_review(district)
        return
    if confirm_archive and district is None:
        raise click.UsageError(
            "--yes removes data of one district. Name it with --district ID. To see what is "
            "missing, use --review."
        )
    options = SyncOptions(
        district=district, full=full, confirm_archive=confirm_archive, trigger=_trigger()
    )
    if exit_code := _sync(options):
        click.get_current_context().exit(exit_code)


def _sync(options: SyncOptions) -> int:
    """Sync, print the results, and return the exit code."""
    exit_code = 0
    try:
        for result in run_sync(options, _print_progress):
            for line in result.lines():
                echo(line)
            code = {"failed": EXIT_FAILED, "refused": EXIT_REFUSED}.get(result.mode, 0)
            exit_code = max(exit_code, EXIT_REFUSED if result.held_losses else code)
    except AlreadyRunning as error:
        _print_progress(str(error))
        exit_code = EXIT_RUNNING
    except StoreUnavailable:
        raise command_failed(
            "The session store does not answer, so people who left are still logged in. The next "
            "sync ends their sessions."
        ) from None
    except DBAPIError as error:  # the driver's message may contain personal data
        reason = (
            unavailable_reason(error)
            or f"the database refused a statement ({type(error.orig or error).__name__})"
        )
        raise command_failed(f"A database error ended the sync: {reason}.") from None
    return exit_code


def _trigger() -> Trigger:
    """Return who started the command: a person at a terminal, or a scheduler."""
    has_terminal = any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
    return Trigger.COMMAND if has_terminal else Trigger.SCHEDULE


def _print_progress(message: str) -> None:
    echo(message, to_stderr=True)
