"""`flask clever runs`: the history of syncs. `run-sync` is the command that a page starts."""

from __future__ import annotations

import click
from sqlalchemy import Connection, Select, literal, select

from clever_login.cli.output import (
    Row,
    exit_on_error,
    format_time,
    json_option,
    print_rows,
    validate_id,
)
from clever_login.db.database import database
from clever_login.db.history.sync_runs import INTERRUPTED, MAX_RUNS, is_interrupted
from clever_login.db.models import SyncRun, utc_now
from clever_login.errors import DatabaseUnavailable
from clever_login.roster_sync.runs.on_demand import run_requested
from clever_login.safe_output import command_failed


@click.command("runs")
@click.option("--district", callback=validate_id, metavar="ID", help="Only runs of this district.")
@json_option
@exit_on_error
def list_runs(district: str | None, as_json: bool) -> None:
    """List the newest syncs of the districts, newest first.

    The columns are district, start, end, who started it (schedule, command, administrator), how it
    read, what has changed, and the problem.
    """
    try:
        with database().read_session() as session:
            query = _newest_runs(session.connection(), district)
            rows = [_run_row(run, is_gone) for run, is_gone in session.execute(query)]
    except DatabaseUnavailable as error:
        raise command_failed(f"{error}.") from None
    print_rows(rows, as_json)


@click.command("run-sync", hidden=True)
@click.argument("run_id", callback=validate_id)
@exit_on_error
def run_requested_sync(run_id: str) -> None:
    """Run a sync that a district administrator has asked for.

    The district's page starts this command. Exits with 1 if the sync failed.
    """
    try:
        result = run_requested(run_id)
    except DatabaseUnavailable as error:
        raise command_failed(f"{error}.") from None
    if result and result.mode == "failed":
        click.get_current_context().exit(1)


def _newest_runs(connection: Connection, district_id: str | None) -> Select[SyncRun, bool]:
    is_gone = is_interrupted(connection, utc_now()).label("is_gone")
    of_district = SyncRun.district_id == district_id if district_id else literal(True)
    newest = SyncRun.started_at.desc(), SyncRun.id
    return select(SyncRun, is_gone).where(of_district).order_by(*newest).limit(MAX_RUNS)


def _run_row(run: SyncRun, is_gone: bool) -> Row:
    return {
        "district": run.district_id,
        "started_at": format_time(run.started_at),
        "finished_at": format_time(run.finished_at),
        "trigger": run.trigger,
        "mode": INTERRUPTED if is_gone else run.mode or _describe_progress(run),
        "changes": _describe_counts(run.counts),
        "problem": run.problem,
    }


def _describe_progress(run: SyncRun) -> str:
    if run.progress is None:
        return "waiting"
    return f"reading, {run.progress} so far" if run.progress else "reading"


def _describe_counts(counts: dict[str, dict[str, int]]) -> str:
    """Return "people: 12 new, 3 changed; sections: 1 new"."""
    return "; ".join(
        f"{kind}: {', '.join(f'{number} {change}' for change, number in changes.items())}"
        for kind, changes in counts.items()
    )
