"""A fresh clone of the repository on a machine that has only git, Python, and the package index."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from clever_login import Settings
from tools.processes import Child, Children

NOT_A_NEWCOMERS = {"CI", "VIRTUAL_ENV", "PYTHONPATH", "PORT", "SIMULATOR_PORT"}
GREETING = "Ctrl-C stops"  # the last line that bin/dev prints at its start


@dataclass
class Clone:
    """A folder with a clone in it. `children` are the programs that run there.

    pip has a cache of its own, which is empty at first. Temporary files are in `parent`, too, so
    that a program that was stopped leaves none.
    """

    parent: Path
    children: Children
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.folder, self.parent / "tmp"):
            folder.mkdir()

    @property
    def folder(self) -> Path:
        """The folder of the project."""
        return self.parent / "project"

    @property
    def activated(self) -> dict[str, str]:
        """The variable with which a host finds the programs of the app's environment."""
        return {"PATH": f"{self.folder}/.venv/bin{os.pathsep}{self._environment()['PATH']}"}

    def start(self, command: str, log: Path, variables: Mapping[str, str] | None = None) -> Child:
        """Start a shell command in the clone, with its output in a file."""
        words = ["sh", "-c", f"cd {shlex.quote(str(self.folder))} && exec {command}"]
        environment = self._environment() | dict(variables or self.variables)
        with log.open("wb") as output:
            return self.children.start(command, words, environment, output.fileno())

    def run(
        self,
        command: str,
        variables: Mapping[str, str] | None = None,
        *,
        seconds: float = 600,
        exit_code: int = 0,
    ) -> str:
        """Run a shell command in the clone, and return its output.

        Raises AssertionError with the output if it takes longer, or ends with another exit code.
        """
        log = self.parent / f"{time.monotonic_ns()}.log"
        child = self.start(command, log, variables)
        deadline = time.monotonic() + seconds
        while child.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.05)
        code = child.exit_code
        self.children.stop_one(child)
        assert code == exit_code, f"{command} ended with {code}:\n{log.read_text()}"
        return log.read_text()

    def start_dev(self) -> tuple[Child, Path]:
        """Start bin/dev, and wait for its greeting. Returns the program and its log."""
        log = self.parent / f"{time.monotonic_ns()}.log"
        child = self.start("bin/dev", log)
        wait_for(log, GREETING, child, seconds=900)
        return child, log

    def _environment(self) -> dict[str, str]:
        """Return this process's environment without settings of the app and of this Python."""
        own = NOT_A_NEWCOMERS | {each.name.upper() for each in fields(Settings)}
        kept = {name: value for name, value in os.environ.items() if name not in own}
        folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
        path = os.pathsep.join(name for name in folders if not _is_of_this_environment(name))
        folders_of_programs = {"PIP_CACHE_DIR": "pip-cache", "TMPDIR": "tmp"}
        return {
            **kept,
            **{name: str(self.parent / folder) for name, folder in folders_of_programs.items()},
            "PATH": path,
        }


def wait_for(log: Path, text: str, child: Child, seconds: float = 60) -> None:
    """Wait until a program prints a text. Raises AssertionError with its output if it does not."""
    deadline = time.monotonic() + seconds
    while text not in log.read_text():
        assert child.exit_code is None, f"{child.name} ended:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"{child.name} takes too long:\n{log.read_text()}"
        time.sleep(0.05)


def _is_of_this_environment(folder: str) -> bool:
    return Path(folder).resolve() == Path(sys.prefix, "bin").resolve()
