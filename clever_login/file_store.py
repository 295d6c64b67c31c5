"""Sessions and claims in files, for one machine."""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clever_login.private_files import FILE_MODE, make_folder
from clever_login.store import Chosen, anything, or_unavailable

SWEEP_SECONDS = 5 * 60
NEW = "new-"  # how the name of a file begins that is not whole yet
_EXPIRY = struct.Struct(">d")  # each file begins with the time (Unix seconds) at which it ends


class FileStore:
    """One file a value, replaced whole, readable by this user alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swept = 0.0

    def get(self, key: str) -> bytes | None:
        """See Store."""
        return or_unavailable(lambda: self._read(self._folder / key))

    def set(self, key: str, value: bytes, seconds: int, *, only_existing: bool = False) -> None:
        """See Store."""
        or_unavailable(lambda: self._put(key, value, seconds, only_existing))
        self._sweep()

    def claim(self, key: str, seconds: int, note: bytes = b"") -> bool:
        """See Store; a hard link is made by one caller only."""
        self._sweep()
        self.get(key)  # removes what has expired
        return or_unavailable(lambda: self._link(self._write(note, seconds), self._folder / key))

    def delete(self, key: str) -> None:
        """See Store."""
        or_unavailable(lambda: self._forget(key))

    def delete_matching(self, pattern: str, chosen: Chosen = anything) -> int:
        """See Store."""
        found = or_unavailable(lambda: list(self._folder.glob(pattern)))
        paths = [each for each in found if chosen(each.name)]
        for path in paths:
            self.delete(path.name)
        return len(paths)

    def load(self) -> None:
        """See Store: nothing."""

    def _read(self, path: Path) -> bytes | None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if len(data) < _EXPIRY.size or _EXPIRY.unpack_from(data)[0] <= time.time():
            path.unlink(missing_ok=True)
            return None
        return data[_EXPIRY.size :]

    def _put(self, key: str, value: bytes, seconds: int, only_existing: bool) -> None:
        path = self._folder / key
        if not only_existing:
            self._write(value, seconds).replace(path)
            return
        with self._alone():
            if self._read(path) is not None:
                self._write(value, seconds).replace(path)

    def _forget(self, key: str) -> None:
        with self._alone():
            (self._folder / key).unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time, over all processes: a session must not come back once it was ended."""
        make_folder(self._folder)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # which lets go

    def _write(self, value: bytes, seconds: int) -> Path:
        """A new file that nobody else knows yet."""
        make_folder(self._folder)
        path = self._folder / f"{NEW}{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)  # the umask may have removed more
        with os.fdopen(descriptor, "wb") as file:
            file.write(_EXPIRY.pack(time.time() + seconds) + value)
        return path

    def _link(self, source: Path, target: Path) -> bool:
        try:
            target.hardlink_to(source)
        except FileExistsError:
            return False
        finally:
            source.unlink()
        return True

    def _sweep(self) -> None:
        """Now and then, remove what has expired: nobody asks for it any more."""
        if time.time() - self._swept < SWEEP_SECONDS:
            return
        self._swept = time.time()
        with suppress(OSError):  # another process sweeps, too
            for path in self._folder.iterdir():
                self._sweep_one(path)

    def _sweep_one(self, path: Path) -> None:
        """Remove one file if it has expired; a new one may still be in the writing."""
        with suppress(OSError):
            if not path.name.startswith(NEW) or time.time() - path.stat().st_mtime > SWEEP_SECONDS:
                self._read(path)
