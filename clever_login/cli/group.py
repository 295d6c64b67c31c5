"""`flask clever ...`: the operator's commands."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import import_module
from typing import cast

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext

from clever_login.cli import clever_data, whoami
from clever_login.config import DEVELOPMENT
from clever_login.doctor.runner import doctor_command
from clever_login.errors import ExtraMissing
from clever_login.logs.events import causes_of, describe_safely, log_event, stack_of
from clever_login.logs.pseudonyms import pseudonym
from clever_login.safe_output import command_failed, echo
from clever_login.services import services
from clever_login.sessions import end_sessions


class LazyGroup(AppGroup):
    """A group that imports commands at first use. `lazy_commands`: name to "module:attribute"."""

    def __init__(
        self,
        name: str,
        help: str,  # noqa: A002 # the name of click's parameter
        lazy_commands: Mapping[str, str],
        *,
        shows_errors: bool,
    ) -> None:
        super().__init__(name, help=help)
        self.lazy_commands = lazy_commands
        self.shows_errors = shows_errors

    def invoke(self, ctx: click.Context) -> object:
        """Run a command. In production, a crash is logged without its message.

        The host's log may have the output of commands, and the message may quote a child's record.
        """
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, ExtraMissing):
            raise
        except Exception as error:
            if self.shows_errors:
                raise
            raise _report_crash(str(ctx.invoked_subcommand), error) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self.lazy_commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command with this name."""
        if cmd_name not in self.lazy_commands:
            return super().get_command(ctx, cmd_name)
        module, _, name = self.lazy_commands[cmd_name].partition(":")
        return cast(click.Command, getattr(import_module(module), name))


def _report_crash(command: str, error: Exception) -> click.ClickException:
    causes, where = " <- ".join(causes_of(error)), stack_of(error)
    log_event("command_crashed", level=logging.ERROR, command=command, causes=causes, where=where)
    return command_failed(
        f"An error ended this command: {describe_safely(error)}. "
        "The log event command_crashed says where."
    )


sessions = AppGroup("sessions", help="Manage the sessions of logged-in users.")


@sessions.command("end")
@click.option("--person", metavar="ID", help="The Clever id of one person.")
@click.option("--district", metavar="ID", help="The Clever id of a district.")
@click.option("--all", "all_sessions", is_flag=True, help="All logged-in users.")
def end(person: str | None, district: str | None, all_sessions: bool) -> None:
    """Log out one person, one district, or everybody, in all browsers."""
    if sum(map(bool, (person, district, all_sessions))) != 1:
        raise click.UsageError("Choose one: --person ID, --district ID, or --all.")
    count = 0
    for secret in services().settings.secrets if not all_sessions else [""]:
        count += end_sessions.by_pseudonym(
            person=pseudonym(secret, "person", person) if person else "*",
            district=pseudonym(secret, "district", district) if district else "*",
        )
    log_event("sessions_ended", count=count)
    echo(f"{count} {'session' if count == 1 else 'sessions'} ended.")


@click.command("pseudonym")
@click.option("--person", metavar="ID", help="The Clever id of one person.")
@click.option("--district", metavar="ID", help="The Clever id of a district.")
@with_appcontext
def show_pseudonym(person: str | None, district: str | None) -> None:
    """Print how the log names a person or a district.

    The first line is made with SECRET_KEY, the others with SECRET_KEY_FALLBACKS. Use the others to
    search log lines from before the key was changed.
    """
    if (person is None) == (district is None):
        raise click.UsageError("Choose one: --person ID or --district ID.")
    kind, clever_id = ("district", district) if person is None else ("person", person)
    for secret in services().settings.secrets:
        echo(pseudonym(secret, kind, clever_id))


# An app that syncs rosters can show how the syncs went.
STATUS_COMMAND = {"status": "clever_login.cli.status:show_status"}


def init_app(app: Flask, lazy_commands: Mapping[str, str]) -> None:
    """Add `flask clever ...` to the app. `lazy_commands`: name to "module:attribute"."""
    group = LazyGroup(
        "clever",
        help="Manage the login with Clever, its data, and its sessions.",
        lazy_commands={**lazy_commands, **(STATUS_COMMAND if "sync" in lazy_commands else {})},
        shows_errors=services(app).settings.app_env == DEVELOPMENT,
    )
    doctor = doctor_command(lambda: services(app).settings.url_prefix)
    for command in (sessions, doctor, show_pseudonym, *clever_data.COMMANDS, whoami.whoami):
        group.add_command(command)
    app.cli.add_command(group)
