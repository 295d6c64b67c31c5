"""`flask clever db upgrade|downgrade|current|grants`: migrations, and privileges of the app."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click
from alembic.util import CommandError
from flask import Flask, current_app
from flask.cli import AppGroup
from sqlalchemy import Engine

from clever_login.db import migrate, product_migrations
from clever_login.db.database import database, release_role, url_variable
from clever_login.db.driver_errors import translate_driver_errors
from clever_login.db.roles import grants as role_grants
from clever_login.db.roles import privileges
from clever_login.errors import DatabaseUnavailable
from clever_login.safe_output import command_failed, echo
from clever_login.services import services

T = TypeVar("T")
db = AppGroup("db", help="Manage the database tables of accounts and rosters.")


@db.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Upgrade the tables to this version of the app. Does nothing if they are up to date.

    Then runs the app's own migrations, if it has any. With a REVISION, it does not.
    """
    with release_role(services().settings):
        _run_migration(lambda engine: migrate.upgrade(engine, revision))
        if revision == "head":
            for feature, applied in _run_product_migration(product_migrations.upgrade).items():
                echo(f"Revision of {feature or 'the app'}'s own tables: {applied}.")
    _warn_of_missing_privileges()


@db.command("downgrade", context_settings={"ignore_unknown_options": True})  # such as -1
@click.argument("revision")
@click.confirmation_option(
    prompt="This deletes everything that these migrations added, with its data. `base` also "
    "reverts the app's own migrations. Continue?"
)
def downgrade(revision: str) -> None:
    """Downgrade the tables to a revision. `base` deletes all data.

    With `base`, the app's own migrations are reverted first. Tables are not dropped while foreign
    keys of other tables point at them.
    """
    with release_role(services().settings):
        if revision == "base":
            _run_product_migration(product_migrations.downgrade_to_base)
        _run_migration(lambda engine: migrate.downgrade(engine, revision))


@db.command("current")
def current() -> None:
    """Print the revision of the tables."""
    _run_migration(lambda _engine: None)


@db.command("grants")
@click.argument("role")
@click.option("--schema", default="public", show_default=True, help="The schema of the tables.")
def grants(role: str, schema: str) -> None:
    """Print the statements that let ROLE read and write rows, and not change tables.

    The role of RELEASE_DATABASE_URL runs them once, in PostgreSQL, before or after the first
    upgrade: it owns the tables. They change nothing by themselves.
    """
    for statement in role_grants.grant_statements(role, schema):
        echo(f"{statement};")


def _warn_of_missing_privileges() -> None:
    """Say what the app's role lacks after another role has upgraded the tables."""
    if not services().settings.release_database_url:
        return
    with _exit_on_error(), database().engine.connect() as connection:
        reason = privileges.missing_reason(connection)
    if reason:
        echo(f"{reason[0].upper()}{reason[1:]}.", to_stderr=True)


def _run_migration(work: Callable[[Engine], None]) -> None:
    """Run it, then print the revision of the tables. Failures exit with one sentence."""
    engine = database().engine
    with _exit_on_error():
        work(engine)
        revision, outdated = migrate.current_revision(engine), migrate.outdated_reason(engine)
    echo(f"Revision of the tables: {revision or 'none'}{'' if outdated else ' (the newest)'}.")
    if outdated:
        echo(f"{outdated[0].upper()}{outdated[1:]}.")


def _run_product_migration(work: Callable[[Flask, Engine], T]) -> T:
    with _exit_on_error():
        return work(current_app, database().engine)


@contextmanager
def _exit_on_error() -> Iterator[None]:
    try:
        with translate_driver_errors():
            yield
    except DatabaseUnavailable as error:
        reason = f"{str(error)[0].upper()}{str(error)[1:]}"
        raise command_failed(f"{reason}. Check {url_variable()}.") from None
    except CommandError as error:
        raise command_failed(f"{error}.") from None
