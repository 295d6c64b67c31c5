"""The pages for borrowers, and the command that adds items."""

from __future__ import annotations

from datetime import date, timedelta

import click
from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from sqlalchemy import select, update

from lending.forms import BorrowForm
from lending.models import Item, db

bp = Blueprint("desk", __name__, cli_group=None)


@bp.get("/")
def home() -> ResponseReturnValue:
    """Show all items."""
    items = db.session.scalars(select(Item).order_by(Item.name))
    return render_template("home.html", items=items)


@bp.route("/items/<int:item_id>", methods=["GET", "POST"])
@login_required
def borrow(item_id: int) -> ResponseReturnValue:
    """Lend an item to the user."""
    item, form = db.get_or_404(Item, item_id), BorrowForm()
    if not form.validate_on_submit():
        return render_template("item.html", item=item, form=form)
    today = date.today()  # noqa: DTZ011 # in the time zone of the server, which is the school's
    due = today + timedelta(days=form.days.data)
    on_shelf = update(Item).where(Item.id == item_id, Item.borrower_id.is_(None))
    values = {"borrower_id": current_user.id, "purpose": form.purpose.data, "due": due}
    lent = db.session.scalar(on_shelf.values(values).returning(Item.id))
    db.session.commit()
    flash(f"{item.name}: yours until {due}." if lent else f"{item.name} is lent.")
    return redirect(url_for("desk.loans"))


@bp.get("/loans")
@login_required
def loans() -> ResponseReturnValue:
    """Show what the user has borrowed."""
    items = db.session.scalars(select(Item).filter_by(borrower_id=current_user.id))
    return render_template("loans.html", items=items.all())


@bp.cli.command("add-items")
@click.argument("names", nargs=-1)
def add_items(names: tuple[str, ...]) -> None:
    """Add items with these NAMES. Names that exist stay as they are."""
    for name in names:
        Item.find_or_add(name, name=name)
    click.echo(f"On the list: {', '.join(names)}.")
