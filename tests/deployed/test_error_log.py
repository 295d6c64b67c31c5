"""Tests gunicorn's error log: visitors cannot forge a line, and it contains no query."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

from tests.support import running_app

pytestmark = pytest.mark.servers

CRASHING = """
CHILD = "Mei-Ling"

def app(environ, start_response):
    if environ["PATH_INFO"] == "/healthz":
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]
    raise RuntimeError(CHILD + environ["PATH_INFO"])
"""
FORGED = b"%0d%0a%5b2026-11-29%5d%20forged%1b%5b2J%7f%c2%9b31m%e2%80%ae"


@pytest.mark.parametrize("worker", ["", "gthread"])
def test_a_request_that_crashes_the_server_cannot_forge_a_log_line(
    tmp_path: Path, worker: str
) -> None:
    (tmp_path / "crashing.py").write_text(CRASHING)
    port = running_app.free_port()
    settings = running_app.settings_for(f"http://localhost:{port}", "http://127.0.0.1:9", tmp_path)
    env = running_app.environment_variables(settings, port) | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "crashing:app"]
    command += ["--worker-class", worker] if worker else []
    log = tmp_path / "gunicorn.log"
    with running_app.run_process(command, env, log) as child:
        running_app.wait_until_answers(f"http://127.0.0.1:{port}/healthz", child)
        targets = (b"/\x9b2J\x7f?code=secret", b"/" + FORGED + b"?code=secret", b"/?c=\x85secret")
        for target in targets:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
                sock.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                sock.recv(1000)
        deadline = time.monotonic() + 10
        while "RuntimeError" not in log.read_text(errors="replace"):
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)
    lines = log.read_bytes().decode().split("\n")
    assert not [line for line in lines if line.startswith("[2026-11-29] forged")]
    assert [ascii(line) for line in lines if not line.isprintable()] == []
    assert "secret" not in str(lines)
    assert "Mei-Ling" not in str(lines)  # the message of an error may quote a child's record
