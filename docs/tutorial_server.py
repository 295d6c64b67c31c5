"""Serves app.py with a simulator: `python -m docs.tutorial_server` in its folder.

Prints its address. Each line on stdin is a command of `flask clever`, or `year STEP`, a step of the
simulator's school year; its last line of output is printed.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from werkzeug.serving import make_server

from app import create_app
from clever_login.testing import sample_settings
from clever_simulator.testing import run_simulator
from tests.support.running_app import free_port


def main() -> None:
    """Serve until stdin is closed."""
    port = free_port()
    url = f"http://localhost:{port}"
    with run_simulator(app_url=url) as clever:
        settings = sample_settings(
            Path("instance").absolute(), **{**clever.settings, "app_url": url}
        )
        app = create_app(settings)
        server = make_server("127.0.0.1", port, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(url, flush=True)
        for line in sys.stdin:
            first, *rest = line.split()
            if first == "year":
                clever.simulator.make_step(*rest)
                print("made", flush=True)
                continue
            output = app.test_cli_runner().invoke(args=["clever", first, *rest]).output
            print(output.strip().splitlines()[-1], flush=True)
        server.shutdown()


if __name__ == "__main__":
    main()
