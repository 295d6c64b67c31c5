"""`flask clever sync` in a process of its own: `python -m tests.sync_job FOLDER [words...]`.

The settings come from the environment, SQLite is kept in the folder. The last line of output is the
most memory that the process held, in kilobytes (Linux).
"""

from __future__ import annotations

import resource
import sys
from dataclasses import replace

from app import create_app
from clever_login.settings import load


def main(folder: str, *words: str) -> int:
    app = create_app(replace(load(), instance_path=folder))
    result = app.test_cli_runner(catch_exceptions=False).invoke(args=["clever", "sync", *words])
    sys.stderr.write(result.stderr)
    sys.stdout.write(result.stdout)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
    return result.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
