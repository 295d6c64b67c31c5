"""Runs `flask clever sync` in a separate process.

Run `python -m tests.support.sync_process FOLDER [words...]`. The settings come from the
environment, and SQLite is stored in the folder. The last line of output is the process's peak
memory in kilobytes (Linux).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from flask.cli import ScriptInfo

from clever_login.config import load_settings
from tests.support.reference_app.app import create_app


def main(folder: str, *words: str) -> None:
    app = create_app(replace(load_settings(), instance_path=folder))
    try:
        app.cli.main(["clever", "sync", *words], obj=ScriptInfo(create_app=lambda: app))
    finally:
        print(peak_memory_kb(), flush=True)


def peak_memory_kb() -> int:
    """Return the peak memory of this process. getrusage would include that of its parent."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(*sys.argv[1:])
