"""The reference app with other arguments for CleverLogin, such as an own find_or_create."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask

from clever_login.config import Settings
from clever_login.extension import CleverLogin
from clever_login.parts import Part
from tests.support import reference_app
from tests.support.reference_app.app import PARTS, PRODUCT, add_pages


def parts_with(*changed: Part) -> list[Part]:
    """Return the starter's parts with these instead of those of the same kind."""
    kinds = {type(part) for part in changed}
    return [*(part for part in PARTS if type(part) not in kinds), *changed]


def make_starter(
    settings: Settings,
    *,
    without: tuple[str, ...] = (),
    root: Path = reference_app.FOLDER,
    **arguments: Any,
) -> Flask:
    """Create the reference app without the parts of these names, and with these arguments.

    `root` is the folder with the app's templates, static files, and translations.
    """
    app = Flask("app", root_path=str(root), instance_path=settings.instance_path)
    options: dict[str, Any] = {
        "product": PRODUCT,
        "url_prefix": "",
        "after_login": "/dashboard",
        "parts": [part for part in PARTS if type(part).__name__ not in without],
    }
    CleverLogin(app, settings, **(options | arguments))
    add_pages(app)
    return app
