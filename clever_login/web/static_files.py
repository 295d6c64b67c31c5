"""Static files: named by their content, compressed at startup, cached by browsers for years."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, cast
from wsgiref.headers import Headers

from flask import Flask, Response, request, send_from_directory
from whitenoise import WhiteNoise
from whitenoise.compress import Compressor

from clever_login.config import Settings
from clever_login.web import security_headers
from clever_login.web.routing import NAMESPACE, STATIC_ENDPOINTS, public

HASH_DIGITS = 12
_KEY = "clever_login_static_urls"
LIBRARY_FOLDER = Path(__file__).resolve().parent.parent / "static"


def add_library_files(app: Flask) -> None:
    """Serve the library's static files. The app's `static/clever_login/NAME` replaces NAME.

    The app may have no static folder.
    """
    app_folder = Path(app.static_folder) if app.static_folder else None

    @public
    def serve(filename: str) -> Response:
        own = app_folder / NAMESPACE if app_folder else LIBRARY_FOLDER
        return send_from_directory(own if (own / filename).is_file() else LIBRARY_FOLDER, filename)

    url_prefix = app.static_url_path if app_folder else "/static"
    app.add_url_rule(f"{url_prefix}/{NAMESPACE}/<path:filename>", f"{NAMESPACE}.static", serve)
    app.extensions[_KEY] = LibraryUrls(f"{url_prefix}/{NAMESPACE}")


def has_stylesheet(app: Flask) -> bool:
    """Whether the app has a stylesheet for the library's pages: `static/style.css`."""
    return bool(app.static_folder and Path(app.static_folder, "style.css").is_file())


class LibraryUrls:
    """The URLs of the library's static files. Flask's `url_for` takes 60 µs for each."""

    def __init__(self, folder_url: str) -> None:
        self.folder_url = folder_url
        self.hashed_names: dict[str, str] = {}  # set with `parts.StaticFiles`

    def url(self, name: str) -> str:
        """Return the URL of a file, below the path at which the server has mounted the app."""
        return f"{request.script_root}{self.folder_url}/{self.hashed_names.get(name, name)}"


def library_urls(app: Flask) -> LibraryUrls:
    """Return the URLs for an app."""
    return cast(LibraryUrls, app.extensions[_KEY])


def init_app(app: Flask, _settings: Settings) -> None:
    """Make `url_for` return names with a hash for static files, which WhiteNoise serves.

    Flask still serves each file under its plain name, which browsers revalidate each time.
    """
    folder = Path(tempfile.mkdtemp(prefix="static-"))
    weakref.finalize(app, shutil.rmtree, folder, ignore_errors=True)
    names = _publish_hashed_files(LIBRARY_FOLDER, folder, prefix=f"{NAMESPACE}/")
    names |= _publish_hashed_files(Path(str(app.static_folder)), folder)
    library_urls(app).hashed_names = {
        name.removeprefix(f"{NAMESPACE}/"): hashed.removeprefix(f"{NAMESPACE}/")
        for name, hashed in names.items()
        if name.startswith(f"{NAMESPACE}/")
    }

    @app.url_defaults
    def by_content(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint in STATIC_ENDPOINTS:
            prefix = f"{NAMESPACE}/" if endpoint != "static" else ""
            name = f"{prefix}{values['filename']}"
            values["filename"] = names.get(name, name).removeprefix(prefix)

    def same_as_pages(answer: Headers, path: str, url: str) -> None:  # noqa: ARG001 # WhiteNoise's
        for name, value in security_headers.common_headers(app).items():
            answer[name] = value

    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign] # Flask's own advice
        app.wsgi_app,
        root=folder,
        prefix=app.static_url_path,
        allow_all_origins=False,
        immutable_file_test=lambda path, url: True,  # noqa: ARG005 # every name there has a hash
        add_headers_function=same_as_pages,
    )


def _publish_hashed_files(source: Path, folder: Path, prefix: str = "") -> dict[str, str]:
    """Copy each file, plus a compressed version, under the prefix and a name with its hash.

    Returns {plain name: name with hash}, both with the prefix.
    """
    packer = Compressor(quiet=True)
    names = {}
    for path in sorted(entry for entry in source.rglob("*") if entry.is_file()):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:HASH_DIGITS]
        plain = Path(prefix, path.relative_to(source))
        hashed = plain.with_name(f"{path.stem}.{digest}{path.suffix}")
        target = folder / hashed
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        if packer.should_compress(path.name):
            packer.compress(str(target))
        names[plain.as_posix()] = hashed.as_posix()
    return names
