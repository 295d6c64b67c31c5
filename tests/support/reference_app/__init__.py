"""The app that the tests of the library run. It does not change when you change your product.

Its layout is the same as that of the starter: `app.py` beside `templates/`, `static/`, and
`translations/`. Tests of the starter's own pages are in tests/app.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
MODULE = f"{__name__}.app"
GUNICORN_APP = f"{MODULE}:create_app()"
