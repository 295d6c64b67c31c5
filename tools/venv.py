"""Creates virtual environments of pinned packages, and detects when they are up to date."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import platform
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from tools.processes import Children
from tools.python_version import clean_environment, command_name
from tools.terminal import Progress, SetupError, say

ROOT = Path(__file__).resolve().parent.parent
PINNED = re.compile(r"^[A-Za-z0-9][^=\s]*==", re.MULTILINE)
# pip says "Ignoring" for packages of another system, and "Processing" for a local file.
SEEN = re.compile(
    r"(?:Collecting|Ignoring|Requirement already satisfied:) ([\w.-]+)"
    r"|Processing .*?([\w.]+)-\d[^/ ]*\.(?:whl|tar\.gz|zip)"
)
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
PIP_OPTIONS = ("--require-hashes", "--no-user", "--no-input", "--progress-bar", "off")
TAIL = 15


def has_simulator() -> bool:
    """Whether the folder clever_simulator is there. Your product may delete it."""
    return (ROOT / "clever_simulator" / "__init__.py").is_file()


class Environment:
    """A virtual environment in the project's folder, with exactly one requirements file."""

    def __init__(self, name: str, requirements: str) -> None:
        self._folder = ROOT / name
        self._requirements = ROOT / requirements
        self._stamp = self._folder / ".requirements-stamp"
        self.python = self._folder / "bin" / "python"

    def ready(self) -> Path:
        """Creates or updates the environment if necessary, and returns its Python."""
        with _one_at_a_time():
            version = self._version()
            if not version or not self._stamped().startswith(f"{version} "):
                self._make()
            if self._stamped() != self._required_state():
                self._install()
        return self.python

    def _stamped(self) -> str:
        try:
            return self._stamp.read_text(encoding="utf-8")
        except OSError:  # never finished
            return ""

    def _required_state(self) -> str:
        return f"{self._version()} {hashlib.sha256(self._requirements.read_bytes()).hexdigest()}\n"

    def _version(self) -> str:
        """Returns the version of the environment's Python. It may have been removed or upgraded."""
        try:
            result = subprocess.run(
                [str(self.python), "-I", "-S", "-c", VERSION],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        return os.fsdecode(result.stdout).strip()

    def _make(self) -> None:
        if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
            raise SetupError(
                "This Python has no venv module. Install it (on Debian and Ubuntu with `apt "
                f"install python3-venv`) and run {command_name()} again."
            )
        say(f"Creating {self._folder.name} with Python {platform.python_version()}.")
        self._run_python_module(
            sys.executable, ["venv", "--clear", str(self._folder)], self._failed_to_make()
        )

    def _failed_to_make(self) -> SetupError:
        return SetupError(
            f"{self._folder.name} could not be created. Fix the errors above and run "
            f"{command_name()} again."
        )

    def _install(self) -> None:
        name = self._requirements.relative_to(ROOT)
        total = len(PINNED.findall(self._requirements.read_text(encoding="utf-8")))
        say(f"Installing {total} packages from {name} (needed only when this file changes).")
        # An interrupted install must not look complete.
        with contextlib.suppress(FileNotFoundError):
            self._stamp.unlink()
        command = ["pip", "install", *PIP_OPTIONS, "-r", str(self._requirements)]
        self._run_python_module(str(self.python), command, self._failed_to_install(), total)
        self._stamp.write_text(self._required_state(), encoding="utf-8")

    def _failed_to_install(self) -> SetupError:
        return SetupError(
            "The packages could not be installed. Fix the pip errors above and run "
            f"{command_name()} again. If this network blocks PyPI, set PIP_INDEX_URL to a "
            "package index that it allows."
        )

    def _run_python_module(
        self, python: str, arguments: list[str], failure: SetupError, total: int = 0
    ) -> None:
        progress, last = Progress(total), deque[str](maxlen=TAIL)
        with Children(ROOT) as children:
            command = [python, "-m", *arguments]
            child = children.start(arguments[0], command, clean_environment(), subprocess.PIPE)
            for line in child.lines():
                last.append(line)
                _show(line, progress)
            progress.close()
            if child.exit_code != 0:
                say("\n".join(last))
                raise failure


def _show(line: str, progress: Progress) -> None:
    """Shows one line of pip's output as progress."""
    package = SEEN.match(line)
    if package:
        progress.step(package[1] or package[2])
    elif line.startswith("Installing collected packages"):
        progress.show("installing the packages")


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keeps a concurrent command from building the same environment."""
    import fcntl  # missing on Windows, where this module must still load to report that

    folder = os.open(str(ROOT / "bin"), os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another command to finish setting up this folder.")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
