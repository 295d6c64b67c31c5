"""Tests app.py as it is deployed, with the simulator instead of Clever."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from app import create_app
from clever_login.testing import browser, sample_settings
from clever_simulator.testing import run_simulator
from tests.support import running_app
from tests.support.browser_client import Visitor
from tests.support.unsafe_requests import unsafe_requests

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("name", ["student", "teacher", "school_admin", "district_admin"])
def test_each_role_logs_in_with_clever(tmp_path: Path, name: str) -> None:
    with run_simulator() as clever:
        client = browser(create_app(sample_settings(tmp_path, **clever.settings)))
        returned = client.get(clever.log_in(client.get("/login").location, name))
        assert returned.location == "/dashboard"
        assert clever.person(name).name.first in client.get("/dashboard").text


# What a session may do besides reading if its link claims that an administrator acts as the user.
# Views of yours that are marked with `impersonation_allowed` belong here, too.
ALLOWED_WHEN_IMPERSONATED = {
    *("clever_login.end_impersonation", "clever_login.logout"),
    *("clever_login.still_here", "clever_login.switch_role"),
}


@pytest.mark.parametrize("name", ["student", "teacher", "district_admin"])
def test_an_administrator_who_acts_as_a_user_changes_nothing(tmp_path: Path, name: str) -> None:
    with run_simulator() as clever:
        client = browser(create_app(sample_settings(tmp_path, **clever.settings)))
        returned = clever.log_in(client.get("/login").location, name)
        assert client.get(f"{returned}&loginas_by_admin=true").location == "/dashboard"
        token = BeautifulSoup(client.get("/dashboard").text, "html5lib").select("[name=csrf_token]")
        for unsafe in unsafe_requests(client.application):
            if unsafe.endpoint not in ALLOWED_WHEN_IMPERSONATED:
                form = {"csrf_token": token[0]["value"]}
                response = client.open(unsafe.path, method=unsafe.method, data=form)
                assert response.status_code == 403, unsafe
                assert "You can only look here" in response.text, unsafe


def test_app_py_only_lists_the_parts_of_the_app() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) < 70


def test_the_page_that_the_certification_doc_names_exists() -> None:
    text = (ROOT / "docs" / "certification.md").read_text()
    (page,) = set(re.findall(r"`(templates/[\w./]+)`", text))
    assert (ROOT / page).is_file()


def test_app_py_names_no_simulator() -> None:
    assert "simulator" not in (ROOT / "app.py").read_text().lower()


@pytest.mark.servers
def test_gunicorn_serves_the_app(tmp_path: Path) -> None:
    port = running_app.free_port()
    settings = running_app.settings_for(f"http://localhost:{port}", "http://127.0.0.1:9", tmp_path)
    environ = running_app.environment_variables(settings, port)
    command = ["gunicorn", "--workers", "1", "app:create_app()"]
    with running_app.run_process(command, environ, tmp_path / "log") as child:
        running_app.wait_until_answers(f"{settings.app_url}/healthz", child)
        assert Visitor(settings.app_url).open("/dashboard").path == "/"
