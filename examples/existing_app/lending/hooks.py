"""The webhook of the drop box, which scans what borrowers return."""

from __future__ import annotations

import hashlib
import hmac

from flask import Blueprint, abort, current_app, request
from flask.typing import ResponseReturnValue

from lending.models import Item, db

bp = Blueprint("hooks", __name__, url_prefix="/hooks")


@bp.post("/returned")
def returned() -> ResponseReturnValue:
    """Put an item back on the shelf. The body is JSON, such as {"item": 7}."""
    key = str(current_app.config["HOOK_KEY"]).encode()
    signature = hmac.new(key, request.get_data(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, request.headers.get("X-Signature", "")):
        abort(403)
    item = db.get_or_404(Item, request.get_json()["item"])
    item.borrower_id, item.purpose, item.due = None, "", None
    db.session.commit()
    return {"returned": item.name}
