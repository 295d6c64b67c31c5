"""A form: users keep notes, and everyone reads only their own."""

from pathlib import Path

from flask import Blueprint, Flask, abort, redirect, render_template_string, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, insert, select

from clever_login import current_user, database

MAX_LENGTH = 500  # characters
MIGRATIONS = Path(__file__).parent / "notes" / "migrations"
PAGE = """{% extends "clever_login/base.html" %}
{% block heading %}Notes{% endblock %}
{% block content %}
{% for saved in notes %}<p>{{ saved }}</p>{% endfor %}
{% if problem %}<p class="notice bad" role="alert">{{ problem }}</p>{% endif %}
<form method="post">
  <input type="hidden" name="csrf_token" value="{{ csrf_token() }}">
  <p class="field"><label for="note">Note</label>
  <input id="note" name="note" maxlength="500" required value="{{ note }}"></p>
  <p><button class="button">Save</button></p>
</form>
{% endblock %}"""

metadata = MetaData()
notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", ForeignKey(database.PERSON_ID, ondelete="CASCADE"), nullable=False),
    Column("note", String(MAX_LENGTH), nullable=False),
)
bp = Blueprint("notes", __name__)


@bp.get("/notes")
def show(problem: str = "", note: str = "") -> str:
    """Show the user's notes and the form. After a problem, it has the user's text again."""
    query = select(notes.c.note).where(notes.c.person_id == _person_id()).order_by(notes.c.id)
    with database.read() as connection:
        found = connection.scalars(query).all()
    return render_template_string(PAGE, notes=found, problem=problem, note=note)


@bp.post("/notes")
def save() -> ResponseReturnValue:
    """Check and store a note. The redirect keeps a reload of the page from sending it again."""
    note = request.form.get("note", "").strip()
    if not 1 <= len(note) <= MAX_LENGTH or not note.isprintable():
        return show(f"A note is one line of 1 to {MAX_LENGTH} characters.", note), 400
    with database.begin() as connection:
        connection.execute(insert(notes).values(person_id=_person_id(), note=note))
    return redirect(url_for("notes.show"), 303)


def _person_id() -> str:
    user = current_user()
    return (user and user.person_id) or abort(403)


def init_app(app: Flask) -> None:
    """Add the table and the page."""
    database.add_tables(app, metadata, MIGRATIONS)
    app.register_blueprint(bp)
