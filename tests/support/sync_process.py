"""`flask clever sync` in a process of its own: `python -m tests.support.sync_process FOLDER
[words...]`.

The settings come from the environment, SQLite is kept in the folder. The last line of output is the
most memory that the process held, in kilobytes (Linux).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from flask.cli import ScriptInfo

from app import create_app
from clever_login.config import load_settings


def main(folder: str, *words: str) -> None:
    app = create_app(replace(load_settings(), instance_path=folder))
    try:
        app.cli.main(["clever", "sync", *words], obj=ScriptInfo(create_app=lambda: app))
    finally:
        print(peak_memory_kb(), flush=True)


def peak_memory_kb() -> int:
    """The largest that this process has been; getrusage tells of whoever started it, too."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(*sys.argv[1:])
