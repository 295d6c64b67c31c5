"""`flask clever sync`: the rosters brought up to date, by a scheduler or by hand."""

from __future__ import annotations

import click
from sqlalchemy.exc import DBAPIError

from clever_login.cli_data import an_id, in_a_sentence
from clever_login.errors import StoreUnavailable
from clever_login.school.lease import Taken
from clever_login.school.outages import not_now
from clever_login.school.sync import Wish, sync
from clever_login.terminal import failure, say

FAILED, REFUSED, RUNNING = 1, 3, 4  # exit codes; 2 is click's, for words that it does not know


@click.command("sync")
@click.option("--district", callback=an_id, metavar="ID", help="This district alone.")
@click.option("--full", is_flag=True, help="Read everything anew, not only what has changed.")
@click.option("--yes", is_flag=True, help="Remove what is missing, however much it is.")
@in_a_sentence
def sync_command(district: str | None, full: bool, yes: bool) -> None:
    """Bring schools, terms, people, sections and enrollments up to what Clever shares.

    When more than a tenth of a kind of record is missing, or all of it, nothing of that kind is
    removed before you run the same with --yes.

    Exit codes: 0 when all is well, 1 when a district could not be read, 3 when --yes is needed,
    4 when another sync is running.
    """
    worst = 0
    try:
        for result in sync(Wish(district=district, full=full, yes=yes), _say):
            for line in result.lines():
                say(line)
            code = {"failed": FAILED, "refused": REFUSED}.get(result.how, 0)
            worst = max(worst, REFUSED if result.held else code)
    except Taken as error:
        _say(str(error))
        worst = RUNNING
    except StoreUnavailable:
        raise failure(
            "The session store does not answer, so that people who left are still logged in: the"
            " next sync makes up for it."
        ) from None
    except DBAPIError as error:  # its own words may have somebody's data in them
        why = not_now(error) or f"it refused a statement ({type(error.orig or error).__name__})"
        raise failure(f"The database ended the sync: {why}.") from None
    if worst:
        click.get_current_context().exit(worst)


def _say(words: str) -> None:
    say(words, aside=True)
