"""One file of translations: read, checked, made ready; imported when a file is first read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

_PLACEHOLDER = re.compile(r"%\((\w+)\)")


class BrokenCatalog(ValueError):
    """A file of translations cannot be read; the message says where."""


def texts(path: Path, language: str) -> Translations:
    """The texts of a file; one that would break its page is left in English."""
    catalog = _read(path, language)
    for message in catalog:
        if message.id and (_has_markup(message) or not _can_be_filled_in(message)):
            message.string = ("",) * len(_forms(message)) if message.pluralizable else ""
    return _ready(catalog, path)


def faults(path: Path, language: str) -> Iterator[str]:
    """What is wrong in a file, one sentence each."""
    try:
        stat = path.stat()
    except OSError as error:
        yield f"{_place(path)} cannot be read: {error.strerror}."
        return
    yield from _faults(path, language, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _faults(path: Path, language: str, mtime_ns: int, size: int) -> tuple[str, ...]:
    """The faults of one version of a file: several apps in one process check it once."""
    del mtime_ns, size  # part of the cache's key
    return tuple(_check(path, language))


def _check(path: Path, language: str) -> Iterator[str]:
    try:
        catalog = _read(path, language)
        _ready(catalog, path)
    except BrokenCatalog as error:
        yield str(error)
        return
    for message in catalog:
        if message.id and not _can_be_filled_in(message):
            yield f"{_place(path)}, line {message.lineno}: other placeholders than in English."
        if message.id and _has_markup(message):
            yield f'{_place(path)}, line {message.lineno}: markup (< or ") that English has not.'
    for message, errors in catalog.check():
        if _can_be_filled_in(message):
            yield f"{_place(path)}, line {message.lineno}: {errors[0]}."


def _read(path: Path, language: str) -> Catalog:
    try:
        with path.open("rb") as file:
            return read_po(file, locale=language, abort_invalid=True)
    except Exception as error:  # Babel fails in many ways on a file that is no catalog
        raise BrokenCatalog(f"{_place(path)} cannot be read: {error}.") from error


def _ready(catalog: Catalog, path: Path) -> Translations:
    compiled = BytesIO()
    try:
        write_mo(compiled, catalog)
        compiled.seek(0)
        return Translations(compiled)
    except ValueError as error:
        raise BrokenCatalog(f"{_place(path)} cannot be used: {error}.") from error


def _can_be_filled_in(message: Message) -> bool:
    """Whether each form of a text takes what the English one is filled in with on the page."""
    names = {name for text in _texts(message.id) for name in _PLACEHOLDER.findall(text)}
    values = dict.fromkeys({*names, "num"} if message.pluralizable else names, 0)
    try:
        return all(text % values is not None for text in _forms(message))
    except (KeyError, TypeError, ValueError):
        return False


def _has_markup(message: Message) -> bool:
    """Whether a text has more of it than the English one: templates escape neither, anywhere."""
    here = max(map(_marks, _texts(message.id)))
    return any(_marks(text) > here for text in _forms(message))


def _marks(text: str) -> int:
    return text.count("<") + text.count('"')


def _forms(message: Message) -> tuple[str, ...]:
    return _texts(message.string or "")


def _texts(of: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (of,) if isinstance(of, str) else tuple(of)


def _place(path: Path) -> str:
    return "/".join(path.parts[-4:])
