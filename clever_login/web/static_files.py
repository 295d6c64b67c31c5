"""Static files: named by their content, kept in memory, cached by browsers for years."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from flask import Flask, Response, request, send_from_directory
from werkzeug import Request
from werkzeug import Response as PlainResponse

from clever_login.config import Settings
from clever_login.web import security_headers
from clever_login.web.routing import NAMESPACE, STATIC_ENDPOINTS, public

HASH_DIGITS = 12
MAX_BYTES_IN_MEMORY = 8 * 1024 * 1024  # per process, of all files together
MIN_SAVED_SHARE = 0.1  # a compressed version that saves less is not kept
CACHE_CONTROL = "public, max-age=315360000, immutable"  # ten years: the name changes with the file
COMPRESSIBLE = ("javascript", "json", "xml")  # ends of media types, beside text/*
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


@dataclass(frozen=True)
class StaticFile:
    """One file in memory, and its compressed version, if that is smaller."""

    content: bytes
    compressed: bytes | None
    media_type: str
    digest: str

    @classmethod
    def of(cls, name: str, content: bytes) -> StaticFile:
        """Return the file with its compressed version."""
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        compressed = None
        if media_type.startswith("text/") or media_type.endswith(COMPRESSIBLE):
            compressed = gzip.compress(content, mtime=0)
            if len(compressed) > (1 - MIN_SAVED_SHARE) * len(content):
                compressed = None
        return cls(content, compressed, media_type, hashlib.sha256(content).hexdigest())

    def response(self, request: Request, headers: Mapping[str, str]) -> PlainResponse:
        """Return the response: 200, 206 for a part, or 304 if the browser has the file."""
        packed = self.compressed is not None and bool(request.accept_encodings["gzip"])
        body = self.compressed if packed and self.compressed is not None else self.content
        response = PlainResponse(body, headers=headers, mimetype=self.media_type)
        response.headers["Cache-Control"] = CACHE_CONTROL
        response.set_etag(f"{self.digest[:HASH_DIGITS]}{'-gzip' if packed else ''}")
        if self.compressed is not None:
            response.headers["Vary"] = "Accept-Encoding"
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        return response.make_conditional(request, accept_ranges=True, complete_length=len(body))


def init_app(app: Flask, _settings: Settings) -> None:
    """Make `url_for` return names with a hash for static files, which are served from memory.

    Nothing is written to a disk, so nothing can be deleted while the app runs or left behind.
    Flask still serves each file under its plain name, which browsers revalidate each time. That is
    also the only name of the largest files, if all together are larger than MAX_BYTES_IN_MEMORY.
    """
    folders = {f"{NAMESPACE}/": LIBRARY_FOLDER}
    if app.static_folder:
        folders[""] = Path(app.static_folder)
    files, names = _hashed_files(folders)
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

    _serve(app, files)


def _serve(app: Flask, files: Mapping[str, StaticFile]) -> None:
    """Answer requests for these files, by name, before the app."""
    url_prefix = app.static_url_path or "/static"
    by_path = {  # decoded as in WSGI
        f"{url_prefix}/{name}".encode().decode("latin-1"): file for name, file in files.items()
    }
    wsgi_app = app.wsgi_app

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        file = by_path.get(environ["PATH_INFO"])
        if file is None or environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return wsgi_app(environ, start_response)
        headers = security_headers.common_headers(app)
        return file.response(Request(environ), headers)(environ, start_response)

    app.wsgi_app = serve  # type: ignore[method-assign] # Flask's own advice


def _hashed_files(folders: Mapping[str, Path]) -> tuple[dict[str, StaticFile], dict[str, str]]:
    """Read the files below each folder, smallest first, until MAX_BYTES_IN_MEMORY are used.

    `folders` maps the prefix of the names to a folder. Later folders replace files of earlier ones.
    Returns {name with hash: file} and {plain name: name with hash}, all with the prefix.
    """
    paths = {
        f"{prefix}{path.relative_to(folder).as_posix()}": path
        for prefix, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file()
    }
    files, names, room = {}, {}, MAX_BYTES_IN_MEMORY
    for name, path in sorted(paths.items(), key=lambda item: item[1].stat().st_size):
        if path.stat().st_size > room:
            break
        file = StaticFile.of(name, path.read_bytes())
        room -= len(file.content) + len(file.compressed or b"")
        hashed = Path(name).with_name(f"{path.stem}.{file.digest[:HASH_DIGITS]}{path.suffix}")
        files[hashed.as_posix()], names[name] = file, hashed.as_posix()
    return files, names
