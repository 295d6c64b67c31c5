"""A job over rosters: `flask --app app export-classes DISTRICT FILE` writes a CSV of classes."""

import csv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TextIO, TypeVar

import click
from flask import Flask
from flask.cli import with_appcontext

from clever_login import rosters

T = TypeVar("T")
COLUMNS = ("school", "class", "period", "students", "teachers")


@click.command("export-classes")
@click.argument("district_id")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_appcontext
def export_classes(district_id: str, file: Path) -> None:
    """Write the classes of each school. The file appears when it is complete."""
    try:
        operator = rosters.operator(district_id)
        rosters.district(viewer=operator)
    except (ValueError, rosters.NotVisible) as error:
        raise click.ClickException("There is no such district. Was it synced?") from error
    part = file.with_name(f"{file.name}.part")
    with part.open("w", encoding="utf-8", newline="") as lines:
        count = write_classes(operator, lines)
    part.replace(file)
    click.echo(f"{count} classes")


def write_classes(operator: rosters.Viewer, lines: TextIO) -> int:
    """Write one line for each class, by school, and return the number of classes."""
    writer, count = csv.writer(lines), 0
    writer.writerow(COLUMNS)
    for school in _all(partial(rosters.schools, viewer=operator)):
        sections = _all(partial(rosters.sections, school=school.id, viewer=operator))
        for section in sections:
            names = [
                f"{t.first_name} {t.last_name}"
                for t in rosters.teachers(section.id, viewer=operator)
            ]
            cells = (
                school.name,
                section.name,
                section.period or "",
                section.students,
                ", ".join(names),
            )
            writer.writerow(map(_safe, cells))
            count += 1
    return count


def _all(read: Callable[..., rosters.Page[T]]) -> Iterator[T]:
    """Yield the rows of all pages."""
    number, pages = 1, 1
    while number <= pages:
        page = read(page=number, size=200)
        yield from page
        number, pages = number + 1, page.pages


def _safe(cell: object) -> str:
    """Return a cell that no spreadsheet program takes for a formula."""
    text = str(cell)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def init_app(app: Flask) -> None:
    """Add the command."""
    app.cli.add_command(export_classes)
