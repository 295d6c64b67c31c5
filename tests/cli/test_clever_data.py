"""Tests `flask clever districts`, `sections`, `events`, and `whoami`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import Result

from clever_login.districts import districts
from clever_simulator.config import default_config
from tests.conftest import SiteMaker
from tests.support.matrix import matrix
from tests.support.running_app import Site
from tests.support.simulator_client import (
    APP_URL,
    callback_query,
    exchange_code,
    log_in,
    log_in_and_exchange,
)

ALL = ["v1.1", "v1.2", "v2.0", "v2.1", "v3.0", "v3.1"]


def command(site: Site, *words: str, stdin: str | None = None) -> Result:
    assert site.app
    return site.app.test_cli_runner().invoke(args=["clever", *words], input=stdin)


def lines(result: Result) -> list[Any]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def main_district(site: Site) -> str:
    return site.clever.people.districts[0].id


def assert_one_sentence(result: Result, *words: str) -> None:
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.strip().endswith(".")
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize("version", ALL)
def test_districts_are_listed_with_state_and_last_sync(make_site: SiteMaker, version: str) -> None:
    site = make_site(clever_api_version=version)
    rows = lines(command(site, "districts", "--json"))
    expected = {district.id: district.name for district in site.clever.people.districts}
    assert {row["id"]: row["name"] for row in rows} == expected
    assert all(row["state"] and row["last_sync"].startswith("20") for row in rows)
    table = command(site, "districts").stdout.splitlines()
    assert table[0].split("\t") == ["id", "name", "state", "last_sync", "pseudonym"]
    assert [line.split("\t")[0] for line in table[1:]] == [row["id"] for row in rows]


@pytest.mark.parametrize("version", ALL)
def test_sections_are_listed_with_teachers_and_student_count(
    make_site: SiteMaker, version: str
) -> None:
    site = make_site(clever_api_version=version)
    result = command(site, "sections", main_district(site), "--json")
    rows = {line["id"]: line for line in lines(result)}
    sections = [
        section
        for section in site.clever.people.sections
        if section.school.district.id == main_district(site)
    ]
    assert rows.keys() == {section.id for section in sections}
    for section in sections:
        row = rows[section.id]
        assert row["students"] == len(section.students)
        assert len(row["teachers"]) == len(section.teachers)
        assert row["name"] == section.name
    assert f"{len(sections)} sections in total" in result.stderr


def test_no_command_prints_a_student_name(site: Site) -> None:
    district = main_district(site)
    for words in (("districts",), ("sections", district), ("events", district)):
        output = command(site, *words).output
        for person in site.clever.people.people:
            assert person.name.last not in output.split()
            assert not person.email or person.email not in output


def test_the_data_commands_say_when_the_app_has_no_secure_sync(make_site: SiteMaker) -> None:
    site = make_site(clever_client_id="simulator-sso")
    assert len(lines(command(site, "districts", "--json"))) == len(site.clever.people.districts)
    for words in (("sections", main_district(site)), ("events", main_district(site))):
        assert_one_sentence(
            command(site, *words), "can read only /districts", "not have Secure Sync"
        )


def test_the_commands_say_when_no_district_has_authorized_the_app(make_site: SiteMaker) -> None:
    result = command(make_site(clever_client_id="simulator-library"), "districts")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "No district has authorized this app.\n"


def test_a_disconnected_district_does_not_hide_the_others(site: Site) -> None:
    site.clever.add_fault("district", status=401, times=2)
    result = command(site, "districts", "--json")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == len(site.clever.people.districts) - 1
    assert "has disconnected this app." in result.stderr


def test_a_rate_limit_wait_is_announced_on_standard_error(site: Site) -> None:
    site.clever.add_fault("data", status=503)
    result = command(site, "sections", main_district(site), "--json")
    assert lines(result)
    assert "Waiting 1 s before the next request to Clever." in result.stderr


def test_an_unknown_district_is_reported_in_one_sentence(site: Site) -> None:
    assert_one_sentence(command(site, "sections", "5f" * 12), "5f5f", "has disconnected it")


def test_wrong_credentials_name_the_settings_to_check(make_site: SiteMaker) -> None:
    site = make_site(clever_client_secret="wrong")
    assert_one_sentence(command(site, "districts"), "CLEVER_CLIENT_ID", "CLEVER_CLIENT_SECRET")


def test_a_malformed_response_is_reported_in_one_sentence_without_its_content(site: Site) -> None:
    body = json.dumps({"data": [{"data": {"id": "5f" * 12, "name": ["Mei-Ling Ortiz"]}}]})
    site.clever.add_fault("data", times=0, body=body)
    result = command(site, "sections", main_district(site))
    assert result.exit_code == 1
    assert "Ortiz" not in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("word", ["../me", "a b", "", "x" * 65, "é"])
def test_an_invalid_id_is_a_usage_error(site: Site, word: str) -> None:
    for words in (("sections", word), ("events", word), ("events", "5f" * 12, "--after", word)):
        result = command(site, *words)
        assert result.exit_code == 2
        assert "letters, digits" in result.stderr
    assert not [
        request for request in site.clever.received_requests() if request["path"].startswith("/v")
    ]


# events


@pytest.mark.parametrize("version", ALL)
def test_events_after_a_cursor_are_listed_without_personal_data(
    make_site: SiteMaker, version: str
) -> None:
    site = make_site(clever_api_version=version)
    district = main_district(site)
    assert command(site, "events", district, "--latest").stdout == "\n"
    for last in ("Adler", "Tamm"):
        site.clever.change_roster("name", "student", last=last)
    result = command(site, "events", district, "--json")
    first, second = lines(result)
    assert set(first) == {"id", "created", "type", "record"}
    assert first["record"] == site.person("student").id
    assert first["type"].endswith(".updated")
    assert "Adler" not in result.output
    assert "2 events in total" in result.stderr
    assert lines(command(site, "events", district, "--after", first["id"], "--json")) == [second]
    assert command(site, "events", district, "--latest").stdout == f"{second['id']}\n"


def test_an_expired_cursor_tells_the_operator_to_read_the_roster_again(site: Site) -> None:
    result = command(site, "events", main_district(site), "--after", "5f" * 12)
    assert_one_sentence(result, "30 days", "read the whole roster again")


# whoami


def person_token(site: Site, user_name: str, client_id: str = "simulator") -> str:
    """Return a user token, as an app's server gets it."""
    site.clever.configure(default_config(APP_URL, site.settings.clever_api_version))
    return log_in_and_exchange(site.clever, client_id, user_name)["access_token"]


def whoami(site: Site, token: str) -> list[str]:
    result = command(site, "whoami", stdin=f"{token}\n")
    assert result.exit_code == 0, result.stderr
    assert token not in result.output
    return result.stdout.splitlines()


@pytest.mark.parametrize("version", ALL)
def test_whoami_recognizes_a_district_token_and_names_the_lists_it_can_read(
    make_site: SiteMaker, version: str
) -> None:
    site = make_site(clever_api_version=version)
    assert site.app
    with site.app.app_context():
        token = districts().tokens.token(main_district(site))
    output = whoami(site, token)
    assert output[:2] == ["A district's token.", f"District: {main_district(site)}"]
    assert "may read\t/sections?limit=1" in output
    assert "may read\t/districts" in output


def test_whoami_says_that_a_token_without_secure_sync_reads_only_districts(
    make_site: SiteMaker,
) -> None:
    site = make_site(clever_client_id="simulator-sso")
    assert site.app
    with site.app.app_context():
        token = districts().tokens.token(main_district(site))
    output = whoami(site, token)
    assert [line for line in output if line.startswith("may read")] == ["may read\t/districts"]


@pytest.mark.parametrize(
    ("version", "role"), matrix(ALL, ["student", "teacher", "staff", "district_admin"])
)
def test_whoami_recognizes_a_user_token_and_the_role_of_its_login(
    make_site: SiteMaker, version: str, role: str
) -> None:
    site = make_site(clever_api_version=version)
    user_name = {"staff": "school_admin"}.get(role, role)
    output = whoami(site, person_token(site, user_name))
    assert output[0] == "A person's token."
    assert f"Role of this login: {role}" in output
    assert f"District: {main_district(site)}" in output
    assert f"may read\t/districts/{main_district(site)}" in output
    assert any(line.startswith("may read\t/") and line.endswith(output[1][8:]) for line in output)


@pytest.mark.parametrize("stdin", ["", "\n", " \n", "two words\n", "a\x07\n", "é\n", "x" * 5000])
def test_standard_input_without_a_token_is_a_usage_error(site: Site, stdin: str) -> None:
    result = command(site, "whoami", stdin=stdin)
    assert result.exit_code == 2
    assert "contains no valid token" in result.stderr


def test_whoami_reports_an_unknown_token_without_printing_it(site: Site) -> None:
    result = command(site, "whoami", stdin="il-no-such-token\n")
    assert_one_sentence(result, "does not accept")
    assert "no-such" not in result.output


def test_whoami_recognizes_a_library_token_by_its_missing_district(site: Site) -> None:
    site.clever.configure(default_config(APP_URL))
    agreed = log_in(site.clever, "simulator-library", "teacher").press("Yes")
    code = callback_query(agreed)["code"]
    token = exchange_code(site.clever, "simulator-library", code).json()["access_token"]
    output = whoami(site, token)
    assert "Role of this login: teacher" in output
    assert "District: none (Clever Library users have no district)" in output
    assert f"may read\t/users/{site.person('teacher').id}/sections" in output
