"""Finds the files that the app reads when it starts, and tells which of them have changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# Folders at the top of the project that are no part of the running app.
OTHER_FOLDERS = {
    "bench",
    "bin",
    "clever_simulator",
    "docs",
    "instance",
    "node_modules",
    "tests",
    "tools",
}
CODE_AND_TEXTS = (".py", ".po")


def app_files(root: Path) -> dict[str, str]:
    """Each file that the app reads when it starts, with a stamp that changes when the file does.

    Templates have an empty stamp, because the app rereads a changed one by itself: it has to
    restart only when a template comes or goes, as another file of that name may take its place.
    """
    return dict(_walk(str(root), "", kind=""))


def stamp(path: Path) -> str:
    """A text that changes when the file does; empty where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns} {status.st_size} {status.st_ino}"


def changed_files(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The names of the files that were changed, added or removed."""
    names = sorted(before.keys() | after.keys())
    return [name for name in names if before.get(name) != after.get(name)]


def _walk(folder: str, inside: str, kind: str) -> Iterator[tuple[str, str]]:
    """The files of a folder, by their names in the project; `inside` is the folder's own name."""
    for entry in _entries(folder):
        name = f"{inside}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if name not in OTHER_FOLDERS:
                yield from _walk(entry.path, f"{name}/", kind or _kind(name))
        elif kind == "templates":
            yield name, ""
        elif kind == "static" or name.endswith(CODE_AND_TEXTS):
            yield name, stamp(Path(entry.path))


def _kind(name: str) -> str:
    """Which rule holds for a folder and all in it; of `static` folders the app has one, its own."""
    if name.rpartition("/")[2] == "templates":
        return "templates"
    return "static" if name == "static" else ""


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder, without hidden files, editors' backup copies and compiled Python."""
    try:
        with os.scandir(folder) as found:
            return [each for each in found if not _is_left_out(each.name)]
    except OSError:  # the folder has just been removed
        return []


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name.endswith("~") or name == "__pycache__"
