"""`flask clever status`: when each district was synced, and what keeps it from being synced."""

from __future__ import annotations

import click
from sqlalchemy import select

from clever_login.cli.output import Row, exit_on_error, format_time, json_option, print_rows
from clever_login.db.database import database
from clever_login.db.models import District
from clever_login.errors import DatabaseUnavailable
from clever_login.safe_output import command_failed


@click.command("status")
@json_option
@exit_on_error
def show_status(as_json: bool) -> None:
    """List the districts in the database.

    The columns are id, name, state at Clever, last sync, last full read, last event, and problem.
    """
    try:
        with database().read_session() as session:
            query = select(District).where(District.archived_at.is_(None))
            districts = list(session.scalars(query.order_by(District.name, District.id)))
    except DatabaseUnavailable as error:
        raise command_failed(f"{error}.") from None
    print_rows(map(_district_row, districts), as_json)


def _district_row(district: District) -> Row:
    return {
        "id": district.id,
        "name": district.name,
        "state": district.state,
        "synced_at": format_time(district.synced_at),
        "full_read_at": format_time(district.full_read_at),
        "event_seen_at": format_time(district.event_seen_at),
        "problem": district.failed_receiver or district.problem,
    }
