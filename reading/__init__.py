"""The example feature: teachers assign books, students read them.

It uses only the public names of `clever_login` (docs/library.md), and brings its own tables,
migrations, pages, and tests. To remove it, delete this folder and its line in app.py.
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from clever_login import database
from reading import receivers, student_views, teacher_views
from reading.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"


def init_app(app: Flask) -> None:
    """Add the pages, the tables, and the receivers of signals."""
    database.add_tables(app, metadata, MIGRATIONS)
    receivers.connect(app)
    app.register_blueprint(student_views.bp)
    app.register_blueprint(teacher_views.bp)
