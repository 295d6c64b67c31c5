"""Folders and files that only the user who runs the app can read, whatever the umask is."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600
OTHER_USERS = 0o077  # all permissions of the group and of other users
STORE_FOLDER, DATABASE_FILE, DEVELOPMENT_KEY_FILE = "store", "school.sqlite3", "dev-secret-key"
SQLITE_SCHEME = "sqlite:///"
SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")  # SQLite creates these beside its file


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents with mode 0700. Existing folders are not changed.

    `Path.mkdir(mode, parents=True)` gives the mode to the last folder only.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(FOLDER_MODE)
    except FileExistsError:  # another process was faster, or a file has this name
        if not path.is_dir():
            raise
    else:
        path.chmod(FOLDER_MODE)  # the umask may have removed more


def make_file(path: Path) -> None:
    """Create an empty file with mode 0600 if there is none.

    The file gets its name when it is ready. Opening and closing a SQLite file under its own name
    would drop the locks that this process holds on it (fcntl(2), "Advisory record locking").
    """
    if path.exists():
        return
    path = path.resolve()  # the target of a symbolic link may not exist yet
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)
        os.link(temporary, path)
    except FileExistsError:  # another process was faster
        pass
    finally:
        os.close(descriptor)
        temporary.unlink()


def database_file(url: str | None, folder: Path) -> Path | None:
    """Return the SQLite file of a DATABASE_URL, by default in the instance folder.

    A relative path is relative to the instance folder, as for Flask-SQLAlchemy. Returns None for
    PostgreSQL.
    """
    if url and not url.startswith(SQLITE_SCHEME):
        return None
    return folder / (url.removeprefix(SQLITE_SCHEME) if url else DATABASE_FILE)


def find_exposed_files(folder: Path, database: Path | None = None) -> list[Path]:
    """Return those of the instance folder and the app's files that other users can access.

    `database` is a SQLite file beside the one in the instance folder. The session files in the
    store folder are not checked: each is created with mode 0600.
    """
    # SQLite also writes beside the target of a link.
    databases = {file.resolve() for file in (folder / DATABASE_FILE, database) if file}
    database_files = (
        file.with_name(file.name + suffix) for file in databases for suffix in SQLITE_SUFFIXES
    )
    paths = (folder, folder / STORE_FOLDER, folder / DEVELOPMENT_KEY_FILE, *database_files)
    return [path for path in paths if _mode(path) & OTHER_USERS]


def restrict_to_owner(folder: Path, database: Path | None = None) -> tuple[list[Path], list[Path]]:
    """Remove other users' permissions.

    Returns the paths that were corrected and those that could not be.
    """
    paths = find_exposed_files(folder, database)
    for path in paths:
        with suppress(OSError):  # it belongs to another user, or the file system is read-only
            path.chmod(_mode(path) & ~OTHER_USERS)
    corrected = [path for path in paths if not _mode(path) & OTHER_USERS]
    return corrected, [path for path in paths if path not in corrected]


def _mode(path: Path) -> int:
    """Return the permissions of a file or folder; 0 for one that is missing or cannot be read."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0
