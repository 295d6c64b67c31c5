"""Measures startup and median login: `.venv-test/bin/python -m bench.scenarios.startup`.

Each figure is compared with another one from the same run, because machines differ and are noisy:
startup with a three-line Flask app on the same server, and login with the bare calls to the
simulator that it needs.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from bench.harness import report
from clever_simulator.config import default_config
from clever_simulator.server import run_in_background
from tests.support import running_app
from tests.support.browser_client import Visitor
from tests.support.login_flows import by_button
from tests.support.running_app import ROOT, Site

START_COUNT = 7
LOGIN_COUNT = 200
TITLE = "Startup and login"
PAGE_TEMPLATE = """\
Measured with `.venv-test/bin/python -m bench.scenarios.startup`: medians of {starts} starts and
{logins}
consecutive logins of one browser, on {cores} cores with {system} and Python {python}. The app (one
gunicorn worker), the simulator, and the browser share the machine.

| | ms |
|---|---|
{rows}
"""
BARE_APP = "from flask import Flask\napp = Flask('bare')\napp.route('/healthz')(lambda: 'ok')\n"


def main() -> None:
    """Measures, prints, and writes docs/performance.md."""
    with tempfile.TemporaryDirectory() as name, run_in_background() as clever:
        folder = Path(name)
        (folder / "bare.py").write_text(BARE_APP)
        figures = _measure_starts(folder, clever.url) | _measure_logins(folder)
    rows = "\n".join(f"| {label} | {value:.1f} |" for label, value in figures.items())
    text = PAGE_TEMPLATE.format(
        rows=rows,
        starts=START_COUNT,
        logins=LOGIN_COUNT,
        python=platform.python_version(),
        system=platform.system(),
        cores=os.cpu_count(),
    )
    sys.stdout.write(text)
    report.write_section(TITLE, text)


def _measure_starts(folder: Path, clever_url: str) -> dict[str, float]:
    """Times gunicorn with one worker from start to first response, for this app and a bare app."""
    own_seconds, bare_seconds = [], []
    for _ in range(START_COUNT):
        own_seconds.append(_time_start(folder, clever_url, "app:create_app()", ROOT))
        bare_seconds.append(_time_start(folder, clever_url, "bare:app", folder))
    return {
        "startup to first response": statistics.median(own_seconds),
        "startup to first response, a Flask app of three lines": statistics.median(bare_seconds),
    }


def _time_start(folder: Path, clever_url: str, app: str, cwd: Path) -> float:
    began = time.perf_counter()
    with _gunicorn(folder, clever_url, app, cwd):
        return (time.perf_counter() - began) * 1000


@contextmanager
def _gunicorn(folder: Path, clever_url: str, app: str, cwd: Path) -> Iterator[str]:
    port = running_app.free_port()
    url = f"http://localhost:{port}"
    environment = running_app.environment_variables(
        running_app.settings_for(url, clever_url, folder), port
    )
    command = [sys.executable, "-m", "gunicorn", "--workers", "1", "--threads", "4"]
    command += ["--bind", f"127.0.0.1:{port}", app]
    with running_app.run_process(command, environment, folder / "gunicorn.log", cwd) as child:
        running_app.wait_until_answers(f"http://127.0.0.1:{port}/healthz", child)
        yield url


def _measure_logins(folder: Path) -> dict[str, float]:
    """Measures whole logins of a student who is logged in to Clever: three URLs of a browser."""
    with (
        run_in_background() as clever,
        _gunicorn(folder, clever.url, "app:create_app()", ROOT) as url,
    ):
        clever.configure(default_config(url))
        site = Site(url, clever, running_app.settings_for(url, clever.url, folder))
        visitor = by_button(site, "student")
        assert visitor.path == "/dashboard"
        return {
            "login: /login, Clever, callback, dashboard": _median_milliseconds(
                lambda: _log_in(visitor)
            ),
            "the callback alone": _median_callback(visitor),
            "floor: the same requests to Clever, on a persistent connection": _measure_floor(
                site, visitor
            ),
        }


def _median_milliseconds(action: Callable[[], object]) -> float:
    times = []
    for _ in range(LOGIN_COUNT):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def _log_in(visitor: Visitor) -> None:
    """Follows the redirects without parsing the pages, because our HTML parser is not measured."""
    response = visitor.http.get(f"{visitor.app_url}/login", headers={"Accept": "text/html"})
    assert response.url.endswith("/dashboard")


def _median_callback(visitor: Visitor) -> float:
    """Measures the request that exchanges the code and reads the user."""
    times = []
    for _ in range(LOGIN_COUNT):
        visitor.stop_at = "/oauth/callback"
        callback = visitor.open("/login").url
        began = time.perf_counter()
        response = visitor.http.get(callback, allow_redirects=False)
        times.append(time.perf_counter() - began)
        assert response.headers["Location"] == "/dashboard"
    return statistics.median(times) * 1000


def _measure_floor(site: Site, visitor: Visitor) -> float:
    """Measures token, /me, user, district and school, in sequence on one connection."""
    person, session = site.person("student"), requests.Session()
    session.trust_env = False
    visitor.stop_at = "/oauth/callback"
    times = []
    for _ in range(LOGIN_COUNT):
        code = visitor.open("/login").url.partition("code=")[2].partition("&")[0]
        began = time.perf_counter()
        _bare_calls(session, site, code, [person.id, person.district.id, person.schools[0].id])
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def _bare_calls(session: requests.Session, site: Site, code: str, ids: list[str]) -> None:
    token = session.post(
        f"{site.clever.url}/oauth/tokens",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": site.settings.redirect_uri,
        },
        auth=("simulator", "simulator-secret"),
        timeout=10,
    ).json()["access_token"]
    user, district, school = ids
    for path in ("me", f"users/{user}", f"districts/{district}", f"schools/{school}"):
        response = session.get(
            f"{site.clever.url}/v3.0/{path}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        assert response.status_code == 200


if __name__ == "__main__":
    main()
