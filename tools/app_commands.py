"""Runs the app's commands with the same variables as bin/dev."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tools.dev_plan import Plan, port_of_app_url, read_variables
from tools.dev_status import running_ports
from tools.ports import wanted_port
from tools.python_version import clean_environment
from tools.terminal import SetupError
from tools.venv import ROOT, Environment

# The environment variables that help needs: none of the app's, which might be invalid.
TERMINAL = ("COLUMNS", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR", "PATH", "TERM", "TMPDIR")


@dataclass(frozen=True)
class Situation:
    """The plan that bin/dev runs the app with, or would, and whether its simulator is running."""

    plan: Plan
    simulator_runs: bool


def situation(folder: Path) -> Situation:
    """Reads the environment and .env, and finds the ports of the bin/dev running in this folder."""
    variables, ports = read_variables(folder), running_ports(folder)
    if variables.get("CLEVER_CLIENT_ID"):
        variables["PORT"] = port_of_app_url(variables)
        port = wanted_port(variables, "PORT", ports.app if ports else 3000)
        return Situation(Plan(variables, port, None), False)
    if ports and ports.simulator is None:
        raise SetupError(
            "bin/dev uses the real Clever, but CLEVER_CLIENT_ID is not set for this command. Put "
            "CLEVER_CLIENT_ID into .env, so that every command has it."
        )
    if ports:
        return Situation(Plan(variables, ports.app, ports.simulator), True)
    app = wanted_port(variables, "PORT", 3000)
    return Situation(Plan(variables, app, wanted_port(variables, "SIMULATOR_PORT", 3001)), False)


def asks_for_help(arguments: list[str]) -> bool:
    """Whether the command only prints its help."""
    before_values = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return not arguments or "--help" in before_values


def help_environment() -> dict[str, str]:
    """Returns variables with which the app starts, whatever .env says."""
    kept = {key: value for key, value in clean_environment().items() if key in TERMINAL}
    kept["SECRET_KEY"] = secrets.token_urlsafe(48)
    return Plan(kept, 3000, 3001).app_environment(ROOT)


def become_python(arguments: list[str], environ: dict[str, str]) -> NoReturn:
    """Replaces this process with the Python of the app's environment.

    The command then has its own exit code, standard input and Ctrl-C. Messages about installing
    packages go to standard error, because standard output is for the command's result.
    """
    with contextlib.redirect_stdout(sys.stderr):
        python = str(Environment(".venv", "requirements.txt").ready())
    sys.stdout.flush()
    os.chdir(str(ROOT))
    os.execve(python, [python, *arguments], environ)  # noqa: S606 # a Python, no shell
