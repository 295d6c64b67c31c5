"""The programs that the full tests need besides Python, and how to install them on Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.python_version import clean_environment
from tools.terminal import SetupError, say

FONTS = "fonts-liberation"
FONT_FOLDERS = ("/usr/share/fonts/truetype/liberation", "/usr/share/fonts/truetype/liberation2")
PATIENCE_S = 900
TAIL = 15


@dataclass(frozen=True)
class Need:
    """A program, its Debian package of the same name, and the marker of the tests that need it.

    Debian keeps some programs off the PATH. Those are found by a file pattern.
    """

    program: str
    marker: str
    files: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the program is installed."""
        files_exist = any(Path("/").glob(self.files)) if self.files else False
        return files_exist or shutil.which(self.program) is not None


NEEDS = (
    Need("chromium", "browser"),
    Need("redis-server", "servers"),
    Need("postgresql", "servers", files="usr/lib/postgresql/*/bin/postgres"),
    Need("pgbouncer", "servers", files="usr/sbin/pgbouncer"),
    Need("nginx", "servers", files="usr/sbin/nginx"),
    Need("faketime", "servers"),
)


def provide_needs() -> tuple[Need, ...]:
    """Installs what is missing, if possible. Returns what is still missing."""
    packages = _missing_packages()
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"Installing {', '.join(packages)}.")
        # One unreachable source may not matter; the next line shows whether it does
        _apt_get("update")
        output = _apt_get("install", "-y", "--no-install-recommends", *packages)
        if _missing_packages():
            say("\n".join(output.splitlines()[-TAIL:]))
    return tuple(need for need in NEEDS if not need.is_met)


def require_needs(missing: tuple[Need, ...]) -> None:
    """Raises SetupError if a program is missing."""
    if missing:
        names = " and ".join(need.program for need in missing)
        raise SetupError(
            f"CI=true allows no skipped tests, but {names} could not be installed. Run this as "
            f"root on Debian, or install {names} first."
        )


def _missing_packages() -> list[str]:
    packages = [need.program for need in NEEDS if not need.is_met]
    if not any(Path(folder).is_dir() for folder in FONT_FOLDERS):
        packages.append(FONTS)
    return packages


def _apt_get(*arguments: str) -> str:
    """Runs apt-get without prompts and returns its output."""
    command = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments]
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**clean_environment(), "DEBIAN_FRONTEND": "noninteractive"},
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"apt-get {arguments[0]} did not finish within {PATIENCE_S} s."
    return result.stdout.decode("utf-8", "replace")
