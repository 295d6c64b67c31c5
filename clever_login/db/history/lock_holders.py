"""Names of the processes that hold a lock, such as "web-1:4711:9f86d081"."""

from __future__ import annotations

import os
import secrets
import socket


def new_name() -> str:
    """Return a name for this process that no other holder has."""
    return f"{_host()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead(name: str) -> bool:
    """Return whether the holder was a process on this machine that no longer exists."""
    host, _, process = name.partition(":")
    pid = process.partition(":")[0]
    if host != _host() or not pid.isdecimal() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _host() -> str:
    return socket.gethostname()[:40]  # the column is 64 characters long
