"""Tests an app that is set to a version of Clever's API that Clever has not given to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clever_simulator.config import default_config
from tests.conftest import SiteMaker
from tests.doctor.test_doctor import run_doctor, running_clever
from tests.support.account_app import make_account_app
from tests.support.expected_rows import sync_site
from tests.support.login_flows import by_button
from tests.support.matrix import matrix
from tests.support.running_app import Site

SENTENCE = (
    "Clever does not answer this app in version v2.1 of its API. Clever gives new apps only v3.0 or"
    " v3.1: set CLEVER_API_VERSION to one of them"
)
ANSWERS = ["404", "501", "html"]


def make_new_app(site: Site, answer: str) -> None:
    """Let Clever give the app only the current versions, and answer other requests like this."""
    config = default_config(site.url, site.settings.clever_api_version)
    versions = ("v3.0", "v3.1")
    apps = (
        replace(app, api_versions=versions, missing_version=answer)  # type: ignore[arg-type]
        for app in config.apps
    )
    site.clever.configure(replace(config, apps=tuple(apps)))


@pytest.mark.parametrize(
    ("answer", "client_id"), matrix(ANSWERS, ["simulator", "simulator-sso", "simulator-oidc"])
)
def test_a_login_in_a_missing_version_names_the_setting_in_the_log(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str], answer: str, client_id: str
) -> None:
    site = make_site(clever_api_version="v2.1", clever_client_id=client_id)
    make_new_app(site, answer)
    visitor = by_button(site, "student")
    assert (visitor.code, visitor.response.status_code) == ("clever_misconfigured", 502)
    assert SENTENCE in capfd.readouterr().err


@pytest.mark.parametrize("client_id", ["simulator", "simulator-oidc"])
def test_a_login_in_a_version_that_the_app_has_succeeds(
    make_site: SiteMaker, client_id: str
) -> None:
    site = make_site(clever_client_id=client_id)
    make_new_app(site, "404")
    assert by_button(site, "student").path == "/dashboard"


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_sync_in_a_missing_version_names_the_setting(make_site: SiteMaker, answer: str) -> None:
    site = make_account_app(make_site, None, clever_api_version="v2.1")
    make_new_app(site, answer)
    result = sync_site(site, "--district", site.clever.people.districts[0].id)
    assert result.exit_code == 1
    assert SENTENCE in result.stdout + result.stderr


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_doctor_reports_a_missing_version(answer: str) -> None:
    name, sentence = "API version at Clever", SENTENCE.partition(":")[0]
    with running_clever() as (clever, environ):
        config = clever.app.extensions["clever_simulator"].config
        apps = (replace(app, api_versions=("v3.0",), missing_version=answer) for app in config.apps)
        clever.configure(replace(config, apps=tuple(apps)))
        report = run_doctor(environ | {"CLEVER_API_VERSION": "v2.1"})
        report.assert_finding(name, "fault", sentence)
        assert "Set CLEVER_API_VERSION to v3.0 or v3.1." in report.output
        run_doctor(environ).assert_finding(name, "ok", "Clever answers this app in v3.0.")
