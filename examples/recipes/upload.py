"""An upload: each user hands in one file of up to 5 MB, and can download it again."""

import hashlib
from pathlib import Path
from secrets import token_hex

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    redirect,
    render_template_string,
    request,
    send_file,
    url_for,
)
from flask.typing import ResponseReturnValue

from clever_login import body_limit, current_user

MAX_BYTES = 5 * 1024 * 1024
FORM_BYTES = 64 * 1024  # the rest of the request: the names of the fields, the CSRF token
PAGE = """{% extends "clever_login/base.html" %}
{% block heading %}Homework{% endblock %}
{% block content %}
{% if file %}<p><a href="{{ url_for('homework.download') }}">Download my file</a></p>{% endif %}
<form method="post" enctype="multipart/form-data">
  <input type="hidden" name="csrf_token" value="{{ csrf_token() }}">
  <p class="field"><label for="file">File, up to 5 MB</label>
  <input id="file" type="file" name="file" required></p>
  <p><button class="button">Hand in</button></p>
</form>
{% endblock %}"""

bp = Blueprint("homework", __name__)


@bp.get("/homework")
def show() -> str:
    """Show the form, and a link to the user's file."""
    return render_template_string(PAGE, file=_file().exists())


@bp.post("/homework")
@body_limit(MAX_BYTES + FORM_BYTES)
def hand_in() -> ResponseReturnValue:
    """Store the user's file. It replaces the former one only when it is complete."""
    upload = request.files.get("file") or abort(400)
    content = upload.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        abort(413)
    file = _file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{token_hex(8)}")
    try:
        part.write_bytes(content)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)  # if the disk is full
    return redirect(url_for("homework.show"), 303)


@bp.get("/homework/file")
def download() -> ResponseReturnValue:
    """Send the user's file as a download. A browser never opens it as a page of this site."""
    file = _file() if _file().exists() else abort(404)
    return send_file(file, "application/octet-stream", as_attachment=True, download_name="homework")


def _file() -> Path:
    """Return the path of the user's file. Nothing in it comes from the request."""
    user = current_user() or abort(401)
    name = hashlib.sha256(user.account_id.encode()).hexdigest()
    return Path(current_app.instance_path, "homework", name)


def init_app(app: Flask) -> None:
    """Register the page."""
    app.register_blueprint(bp)
