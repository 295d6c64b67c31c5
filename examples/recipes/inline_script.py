"""A script of a CDN, and an inline script that uses it, under the Content-Security-Policy."""

from flask import Blueprint, Flask, render_template_string

from clever_login import parts

CDN = "https://cdn.example.com"
HEADERS = parts.SecurityHeaders(csp={"script-src": f"'self' {CDN}"})
# openssl dgst -sha384 -binary chart-4.5.js | openssl base64 -A
INTEGRITY = "sha384-hFukxMTjUiYPYOGxWx192c0Fg9TfPZKAB8XevYc6z8Qm7CmV2tL5f6vB/4+cCMv/"
PAGE = """{% extends "clever_login/base.html" %}
{% block heading %}Books this week{% endblock %}
{% block content %}
<p id="chart"></p>
<script src="{{ cdn }}/chart-4.5.js" integrity="{{ integrity }}" crossorigin="anonymous"></script>
<script nonce="{{ csp_nonce() }}">drawChart("#chart", {{ books | tojson }})</script>
{% endblock %}"""

bp = Blueprint("chart", __name__)


@bp.get("/chart")
def show() -> str:
    """Show a chart. `tojson` makes values safe inside of a script, whatever they contain."""
    books = {"Monday": 3, "Tuesday": 5}
    return render_template_string(PAGE, cdn=CDN, integrity=INTEGRITY, books=books)


def init_app(app: Flask) -> None:
    """Register the page."""
    app.register_blueprint(bp)
