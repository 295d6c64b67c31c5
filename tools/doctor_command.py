"""Runs the doctor with the variables of bin/dev, and prints which Clever it checks."""

from __future__ import annotations

import sys
from typing import NoReturn

from tools.app_commands import Situation, become_python, situation
from tools.dev_plan import read_variables
from tools.python_version import clean_environment
from tools.venv import ROOT

PROGRAM = "from clever_login.doctor.runner import doctor; doctor(prog_name={name!r})"


def examine(arguments: list[str], name: str) -> NoReturn:
    """Replaces this process with the doctor under this name. The exit code is 1 for a fault.

    A simulator that is not running is not a fault, because bin/dev starts it. The checks that need
    it are skipped, and a line says so.
    """
    program = ["-c", PROGRAM.format(name=name)]
    if "--help" in arguments:
        become_python([*program, *arguments], clean_environment())
    variables = read_variables(ROOT)
    if variables.get("APP_ENV") == "production" and not variables.get("CLEVER_CLIENT_ID"):
        # bin/dev would use the simulator, but these variables are meant for a host, where the
        # missing CLEVER_CLIENT_ID is a fault.
        become_python([*program, *arguments], variables)
    current = situation(ROOT)
    if current.plan.simulator_port:
        output = sys.stderr if "--json" in arguments else sys.stdout
        print(_which_clever(current), file=output, flush=True)
        if not current.simulator_runs:
            arguments = [*arguments, "--offline"]
    become_python([*program, *arguments], current.plan.app_environment(ROOT))


def _which_clever(current: Situation) -> str:
    if current.simulator_runs:
        return (
            "CLEVER_CLIENT_ID is not set, so the app uses the simulator of bin/dev at "
            f"{current.plan.simulator_url} instead of Clever."
        )
    return (
        "CLEVER_CLIENT_ID is not set, so the app uses the simulator, which is not running. The "
        "checks that call Clever are skipped. To run them, start bin/dev first."
    )
