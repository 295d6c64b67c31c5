"""Nothing that names or admits a person is in any log."""

from __future__ import annotations

import json
import logging
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.entries import by_portal, to_the_callback
from tests.sites import Site


def test_a_whole_login_leaves_no_name_code_state_token_or_secret_in_any_log(
    site: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    visitor = to_the_callback(site, "student")
    query = parse_qs(urlsplit(visitor.url).query)
    visitor.open(visitor.url).press("Log out")
    site.clever.fault("me", status=500)
    visitor.click("Log in again with Clever")
    assert visitor.code == "clever_unavailable"
    person = site.person("student")
    output = capfd.readouterr().err + "".join(
        record.getMessage() + str(record.args)
        for record in caplog.records
        if not record.name.startswith(("urllib3", "tests"))  # the visitor's own, too
    )
    assert output
    for canary in (
        query["code"][0],
        query["state"][0],
        person.name.first,
        person.name.last,
        str(person.email),
        "simulator-secret",
        "il" + "0" * 0 + "_",
        site.settings.secret_key,
    ):
        assert canary not in output, canary


def test_our_lines_are_json_with_a_time_an_event_and_a_reference_that_the_page_shows(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    visitor = by_portal(site, "teacher").open("/nothing-here\r\n{}")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[0] == "{"]
    events = {line["event"]: line for line in lines}
    assert events["login_restarted"]["reason"] == "no_state"
    assert events["login"]["role"] == "teacher"
    assert events["failure"]["code"] == "http_404"
    assert events["failure"]["reference"] in visitor.text
    assert all(line["time"].endswith("+00:00") for line in lines)
