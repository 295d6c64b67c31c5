"""Finds the files that the app reads at startup, and detects which of them changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# Top-level folders that are not part of the running app.
OTHER_FOLDERS = {
    "bench",
    "bin",
    "clever_simulator",
    "docs",
    "examples",
    "instance",
    "node_modules",
    "tests",
    "tools",
}
STATIC_FOLDERS = ("static", "clever_login/static")  # of the app and of the library
CODE_AND_TEXTS = (".py", ".po")


def app_files(root: Path) -> dict[str, str]:
    """Maps each file that the app reads at startup to a stamp that changes when the file does.

    Templates have an empty stamp, because the app reloads a changed template without a restart. It
    must restart only when a template is added or removed, because another file with that name may
    take its place.
    """
    return dict(_walk(str(root), "", kind=""))


def stamp(path: Path) -> str:
    """Returns a text that changes when the file does, or an empty string if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns} {status.st_size} {status.st_ino}"


def changed_files(old_files: dict[str, str], new_files: dict[str, str]) -> list[str]:
    """Returns the names of the files that were changed, added or removed."""
    names = sorted(old_files.keys() | new_files.keys())
    return [name for name in names if old_files.get(name) != new_files.get(name)]


def remove_bytecode(root: Path, names: list[str]) -> None:
    """Deletes the compiled form of these files.

    Python compares only the size and the second of a change. It would run the old code if a file
    changes twice within one second and keeps its size.
    """
    for path in (root / name for name in names if name.endswith(".py")):
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink(missing_ok=True)


def _walk(folder: str, prefix: str, kind: str) -> Iterator[tuple[str, str]]:
    """Yields the files of a folder by their path in the project. `inside` is the folder's path."""
    for entry in _entries(folder):
        name = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if name not in OTHER_FOLDERS:
                yield from _walk(entry.path, f"{name}/", kind or _kind(name))
        elif kind == "templates":
            yield name, ""
        elif kind == "static" or name.endswith(CODE_AND_TEXTS):
            yield name, stamp(Path(entry.path))


def _kind(name: str) -> str:
    """Returns the rule for a folder and its contents."""
    if name.rpartition("/")[2] == "templates":
        return "templates"
    return "static" if name in STATIC_FOLDERS else ""


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Returns a folder's entries without hidden files, editor backups and compiled Python."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not _is_left_out(entry.name)]
    except OSError:  # the folder was just removed
        return []


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name.endswith("~") or name == "__pycache__"
