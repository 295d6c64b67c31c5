"""`flask clever accounts add|invite`: accounts from before Clever, and claim links."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from clever_login.accounts import claims
from clever_login.accounts.account_lookup import add_unlinked_account
from clever_login.cli.account_transfer import TRANSFER_COMMANDS
from clever_login.errors import DatabaseUnavailable
from clever_login.safe_output import command_failed, echo
from clever_login.services import services

accounts = AppGroup("accounts", help="Import, export, and add accounts, and print claim links.")
for command in TRANSFER_COMMANDS:
    accounts.add_command(command)


@accounts.command("add")
@click.option("--first-name", default="", help="First name, shown on the page that the link opens.")
@click.option("--last-name", default="")
@click.option("--email")
def add(first_name: str, last_name: str, email: str | None) -> None:
    """Add an account for a user who will log in later. Prints its id."""
    try:
        echo(add_unlinked_account(first_name=first_name, last_name=last_name, email=email))
    except DatabaseUnavailable as error:
        raise command_failed(f"{error}.") from None


@accounts.command("invite")
@click.option(
    "--person", required=True, metavar="ID", help="The account's id, or the Clever id of its owner."
)
@click.option(
    "--hours", type=click.IntRange(1, 24 * 90), default=claims.DEFAULT_LINK_HOURS, show_default=True
)
@click.option(
    "--new-clever-id",
    is_flag=True,
    help="Allow an account that already has a Clever id: its owner has a new one now.",
)
def invite(person: str, hours: int, new_clever_id: bool) -> None:
    """Print a one-time claim link for an account.

    The user who opens the link and logs in with Clever gets the account. Give the link only to
    the account's owner. Earlier links to the account become invalid.
    """
    try:
        token = claims.create_link(person, hours=hours, new_clever_id=new_clever_id)
    except (claims.NotClaimable, DatabaseUnavailable) as error:
        raise command_failed(str(error)) from None
    echo(f"{services().settings.app_url}/claim?token={token}")
