"""Sends the first requests of many new processes at the same time, with one session.

`python -m tests.support.first_requests FOLDER SECRET_KEY SESSION_ID` prints the distinct exit codes
of the processes. The processes are forks, so in each one everything is loaded but has not been
used.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import threading
from pathlib import Path

from tests.support import running_app
from tests.support.reference_app.app import create_app

URL = "http://localhost:3000"
PROCESSES, THREADS = 20, 12


def main(folder: str, secret_key: str, session_id: str) -> None:
    logging.disable(logging.CRITICAL)
    settings = running_app.settings_for(
        URL, "http://127.0.0.1:9", Path(folder), secret_key=secret_key
    )
    app = create_app(settings)
    sys.setswitchinterval(1e-6)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    together, statuses = threading.Barrier(THREADS), []

    def ask() -> None:
        client = app.test_client()
        client.set_cookie("session", session_id)
        together.wait()
        statuses.append(client.get("/logged-out", base_url=URL).status_code)

    def child() -> None:
        threads = [threading.Thread(target=ask) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(0 if set(statuses) == {302} else 1)

    codes = set()
    for _ in range(PROCESSES):
        process = os.fork()
        if not process:
            child()
        codes.add(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
    print(*codes)


if __name__ == "__main__":
    main(*sys.argv[1:])
