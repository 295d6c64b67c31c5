"""Runs the app's command group as bin/clever, in the app's own environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # where app.py is

from flask.cli import ScriptInfo


def main() -> None:
    """Finds the app as `flask` does, and runs the command that the arguments name."""
    os.environ["FLASK_RUN_FROM_CLI"] = "true"  # makes Flask ignore an app.run() in app.py
    script = ScriptInfo(app_import_path="app")
    script.load_app().cli.commands["clever"].main(prog_name="bin/clever", obj=script)


if __name__ == "__main__":
    main()
