"""`flask clever ...`: the operator's commands."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import click
from flask import Flask
from flask.cli import AppGroup

from clever_login import logs
from clever_login.auth.sessions import end_sessions
from clever_login.cli import clever_data, whoami
from clever_login.config import Settings
from clever_login.doctor.runner import doctor
from clever_login.logs import pseudonym
from clever_login.safe_output import echo
from clever_login.services import services


class LazyGroup(AppGroup):
    """A group that imports some commands at first use. `later`: name to "module:attribute"."""

    def __init__(self, name: str, help: str) -> None:  # noqa: A002 # the name of click's parameter
        super().__init__(name, help=help)
        self.later: dict[str, str] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self.later})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command with this name."""
        if cmd_name not in self.later:
            return super().get_command(ctx, cmd_name)
        module, _, name = self.later[cmd_name].partition(":")
        return cast(click.Command, getattr(import_module(module), name))


clever = LazyGroup("clever", help="Manage the login with Clever, its data, and its sessions.")
sessions = AppGroup("sessions", help="Manage the sessions of logged-in users.")
clever.add_command(sessions)
clever.add_command(doctor)


@sessions.command("end")
@click.option("--person", metavar="ID", help="The Clever id of one person.")
@click.option("--district", metavar="ID", help="The Clever id of a district.")
@click.option("--all", "everybody", is_flag=True, help="All logged-in users.")
def end(person: str | None, district: str | None, everybody: bool) -> None:
    """Log out one person, one district, or everybody, in all browsers."""
    if sum(map(bool, (person, district, everybody))) != 1:
        raise click.UsageError("Choose one: --person ID, --district ID, or --all.")
    count = 0
    for secret in services().settings.secrets if not everybody else [""]:
        count += end_sessions(
            person=pseudonym(secret, "person", person) if person else "*",
            district=pseudonym(secret, "district", district) if district else "*",
        )
    logs.log_event("sessions_ended", count=count)
    echo(f"{count} {'session' if count == 1 else 'sessions'} ended.")


@clever.command("pseudonym")
@click.option("--person", metavar="ID", help="The Clever id of one person.")
@click.option("--district", metavar="ID", help="The Clever id of a district.")
def show_pseudonym(person: str | None, district: str | None) -> None:
    """Print the pseudonym of a person or a district in the log.

    The first line is made with SECRET_KEY, the others with SECRET_KEY_FALLBACKS. Use the others to
    search log lines from before the key was changed.
    """
    if (person is None) == (district is None):
        raise click.UsageError("Choose one: --person ID or --district ID.")
    kind, clever_id = ("district", district) if person is None else ("person", person)
    for secret in services().settings.secrets:
        echo(pseudonym(secret, kind, clever_id))


def init_app(app: Flask, _settings: Settings) -> None:
    """Register the commands."""
    for command in (*clever_data.COMMANDS, whoami.whoami):
        clever.add_command(command)
    app.cli.add_command(clever)
