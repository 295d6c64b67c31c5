"""Tests that external text cannot forge log lines or control a terminal. No log contains ids."""

from __future__ import annotations

import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask
from flask.logging import default_handler

from clever_login.logs.events import log_event
from clever_login.safe_output import escape_unprintable
from clever_login.web.routing import public
from clever_simulator.config import default_config
from tests.conftest import SiteMaker
from tests.support import account_app
from tests.support.account_app import run_flask_clever
from tests.support.browser_client import Visitor, send_request
from tests.support.expected_rows import sync_site
from tests.support.login_flows import LOGIN_FLOWS, by_button, by_portal
from tests.support.running_app import ROOT, Site
from tests.test_logs import assert_as_listed

# A forged line, colors, DEL, the C1 escape, both line separators, a right-to-left override, a
# zero-width space, and an invisible tag character (U+E0041).
EVIL = 'x\r\n{"event": "forged"}\x1b[2J\x7f\x9b31m\u0085\u2028\u2029\u202e\u200b\U000e0041'
CLEVER_ID = re.compile("[0-9a-f]{24}")


def assert_safe(lines: Iterable[str]) -> None:
    """Assert that lines contain only visible characters, and tabs between columns."""
    for line in lines:
        assert line.replace("\t", "").isprintable(), ascii(line)


def json_lines(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"time"')]


def test_an_escaped_text_can_be_decoded_and_has_no_invisible_characters() -> None:
    assert escape_unprintable("Zoë Ñandú-O'Connor 🙂 \\") == "Zoë Ñandú-O'Connor 🙂 \\"
    assert escape_unprintable(EVIL).isprintable()
    assert (
        escape_unprintable("\x7f\n\u2028\U000e0041\ud800")
        == r"\u007f\u000a\u2028\udb40\udc41\ud800"
    )
    assert json.loads(f'"{escape_unprintable(EVIL.replace(chr(34), ""))}"') == EVIL.replace('"', "")
    assert escape_unprintable("a\tb\n", keep="\t") == "a\tb\\u000a"


# The event log


def test_a_products_log_event_is_one_line_of_visible_characters(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    assert site.url
    log_event("books", reason=EVIL)
    (line,) = capfd.readouterr().err.removesuffix("\n").split("\n")
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["reason"] == EVIL


def test_the_id_of_a_record_is_left_out_of_the_reason_in_an_event(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    assert site.url
    log_event("books", reason=f"the section {'5f' * 12} has a field that is no text")
    (line,) = json_lines(capfd.readouterr().err)
    assert line["reason"] == "the section ... has a field that is no text"


def test_no_log_event_has_a_clever_id(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    site = account_app.make_account_app(make_site, None, ask_preferred_name=True)
    sync_site(site)
    output = run_everything(site)
    lines = json_lines(capfd.readouterr().err + output)
    assert {str(line["event"]) for line in lines} >= {
        *("login", "login_restarted", "callback_ignored", "part_missing", "role_switched"),
        *("logout", "failure", "account_claimed", "preferred_name_set", "exported"),
        *("forgotten", "retention", "sessions_ended"),
    }
    for line in lines:
        assert_as_listed(line)
        assert not CLEVER_ID.search(str(line)), line
    district = {line["district"] for line in lines if line["event"] == "login"}
    ids = [district.id for district in site.clever.people.districts]
    assert district <= {
        run_flask_clever(site, "pseudonym", "--district", record_id).strip() for record_id in ids
    }


def run_everything(site: Site) -> str:
    """Do everything that writes log events. Returns the output of the commands."""
    person = site.person("student")
    for entry in LOGIN_FLOWS.values():
        entry(site, "teacher_admin")
    visitor = by_button(site, "student").press("Use this name", name="Ada")
    visitor.open("/oauth/callback?code=x&state=forged").open("/nothing-here")
    account = run_flask_clever(site, "accounts", "add").strip()
    link = run_flask_clever(site, "accounts", "invite", "--person", account).strip()
    visitor.open(link).press("Yes, both are mine").press("Log out")
    by_portal(site, "teacher_admin").press("See the school administrator page")
    site.clever.add_fault("user", status=404)
    by_portal(site, "teacher")
    site.clever.add_fault("me", status=500, times=0)
    by_portal(site, "student")
    site.clever.clear_faults()
    commands = (
        ("export", "--user", person.id),
        ("forget", "--user", person.id),
        ("forget", "--district", person.district.id, "--yes"),
        ("retention", "--yes"),
        ("sessions", "end", "--district", person.district.id),
    )
    return "".join(run_flask_clever(site, *words) for words in commands)


def test_the_content_of_an_unreadable_list_is_not_logged(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    site = make_site(clever_client_id="simulator-library", clever_library=True)
    site.clever.add_fault("data", body=json.dumps({"data": {"id": "5f" * 12, "name": "Ada"}}))
    visitor = by_button(site, "teacher")
    assert visitor.press("Yes").path == "/dashboard"
    (missing,) = [
        line for line in json_lines(capfd.readouterr().err) if line["event"] == "part_missing"
    ]
    assert missing["part"] == "sections"
    assert "list" in str(missing["cause"])
    assert "5f5f" not in str(missing)
    assert "Ada" not in str(missing)


def test_a_districts_pseudonym_in_the_log_can_be_looked_up_and_is_listed(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    old, new = make_site(secret_key="o" * 64), "n" * 64
    by_button(old, "student")
    (line,) = [line for line in json_lines(capfd.readouterr().err) if line["event"] == "login"]
    site = make_site(secret_key=new, secret_key_fallbacks=("o" * 64,))
    district, person = site.person("student").district.id, site.person("student").id
    now, before = run_flask_clever(site, "pseudonym", "--district", district).split()
    assert before == line["district"]
    assert line["person"] in run_flask_clever(site, "pseudonym", "--person", person).split()
    assert f"\t{now}" in run_flask_clever(site, "districts")
    for words in ((), ("--person", person, "--district", district)):
        assert "Choose one" in run_flask_clever(site, "pseudonym", *words, fails=True)


# The development server


def test_a_path_cannot_forge_a_log_line_of_the_development_server(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "werkzeug")
    send_request(f"{site.url}/{quote(EVIL)}?code={quote(EVIL)}secret")
    raw(site, b"GET /\x1b[2J\x7f\xc2\x9b31m HTTP/1.1\r\nHost: x\r\n\r\n")
    raw(site, b"\x1b[2J\x9b \r\n\r\n")
    messages = [record.getMessage() for record in caplog.records if record.name == "werkzeug"]
    assert len(messages) > 2
    assert_safe(re.sub("\x1b\\[[0-9;]*m", "", line) for line in messages)  # Werkzeug's colors
    assert "secret" not in str(messages)


def raw(site: Site, request: bytes) -> None:
    """Send bytes that no client would send, and wait for the start of the response."""
    with socket.create_connection(("localhost", urlsplit(site.url).port or 0), timeout=10) as sock:
        sock.sendall(request)
        sock.recv(100)


def test_a_crash_report_in_development_has_no_forged_line(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    def extend(app: Flask) -> None:
        @app.get("/crash/<words>")
        @public
        def crash(words: str) -> str:
            raise RuntimeError(words)

    site = make_site(extend=extend)
    logger = account_app.flask_app(site).logger
    logger.addHandler(default_handler)  # Flask adds this handler when there is no other
    try:
        send_request(f"{site.url}/crash/{quote(EVIL)}")
    finally:
        logger.removeHandler(default_handler)
    lines = capfd.readouterr().err.split("\n")
    assert any(line.startswith("[") and "Exception on /crash/x" in line for line in lines)
    assert any(line.startswith("  RuntimeError: x") for line in lines)
    assert not any(line.startswith('{"event": "forged"}') for line in lines)
    assert_safe(line for line in lines if "werkzeug" not in line and " - - [" not in line)


# Commands


@pytest.mark.parametrize("words", [("districts",), ("districts", "--json"), ("sections", "ID")])
def test_district_data_cannot_control_a_terminal(site: Site, words: tuple[str, ...]) -> None:
    district = site.clever.people.districts[0].id
    record = {"data": {"id": district, "name": f"Evil{EVIL}"}}
    site.clever.add_fault("district", body=json.dumps(record), times=0)
    district_list = {"data": [record], "links": [], "count": 1}
    site.clever.add_fault("data", body=json.dumps(district_list), times=0)
    assert site.app
    arguments = [district if word == "ID" else word for word in words]
    result = site.app.test_cli_runner().invoke(args=["clever", *arguments])
    assert "Evil" in result.stdout
    assert_safe(result.output.removesuffix("\n").split("\n"))


def test_the_output_of_a_sync_cannot_control_a_terminal(make_site: SiteMaker) -> None:
    site = account_app.make_account_app(make_site, None)
    district = site.clever.people.districts[0].id
    record = {"id": district, "name": f"Evil{EVIL}", "state": "running", "error": f"Bad{EVIL}"}
    site.clever.add_fault("district", body=json.dumps({"data": record}), times=0)
    result = sync_site(site, "--district", district)
    assert result.stdout.startswith("Evil")
    assert "Clever says: Bad" in result.stdout
    assert_safe(result.output.removesuffix("\n").split("\n"))


def test_an_export_is_readable_json_without_hidden_characters(make_site: SiteMaker) -> None:
    site = account_app.make_account_app(make_site, None)
    person = site.person("student")
    name = {"first": "Zoë\u2028\u200b\U000e0041", "last": "Moreno"}
    record = {"id": person.id, "district": person.district.id, "name": name}
    site.clever.add_fault("user", body=json.dumps({"data": record | {"roles": {"student": {}}}}))
    by_button(site, "student")
    output = run_flask_clever(site, "export", "--user", person.id)
    exported = "\n".join(line for line in output.split("\n") if not line.startswith('{"time"'))
    assert '"Zoë' in exported
    assert_safe(exported.split("\n"))
    assert json.loads(exported)["person"]["first_name"] == name["first"]


def test_only_one_module_of_the_app_prints() -> None:
    printing = re.compile(r"click\.s?echo|ClickException\(|^\s*print\(", re.M)
    names = [
        p.name for p in (ROOT / "clever_login").rglob("*.py") if printing.search(p.read_text())
    ]
    assert names == ["safe_output.py"]


# The simulator


def test_an_imported_file_cannot_control_a_terminal(tmp_path: Path) -> None:
    for path in (ROOT / "tests" / "data" / "pine_hollow").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    students = tmp_path / "students.csv"
    head, remaining = students.read_text().split("\n", 1)
    students.write_text(f"{head},Evil\x1b[2J\x9b,Evil\x1b[2J\x9b\n{remaining}")
    command = [sys.executable, "-m", "clever_simulator", "--port", "0", "--data", str(tmp_path)]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert "students.csv" in result.stderr
    assert_safe(result.stderr.removesuffix("\n").split("\n"))


# Impersonation


def test_a_forged_impersonation_parameter_adds_only_the_note_to_what_a_user_reads(
    make_site: SiteMaker,
) -> None:
    site = account_app.make_account_app(make_site, None, ask_preferred_name=True)
    sync_site(site)
    account = run_flask_clever(site, "accounts", "add").strip()
    link = run_flask_clever(site, "accounts", "invite", "--person", account).strip()
    plain, marked = by_button(site, "student"), by_button(site, "student")
    marked.open("/oauth/callback?code=x&loginas_by_admin=true")
    (own_class, *_) = [
        str(link["href"]) for link in plain.open("/dashboard").page.select("a[href^='/classes/']")
    ]
    for path in ("/dashboard", own_class, "/preferred-name", link):
        assert without_note(marked, path) == plain.open(path).text, path


def without_note(visitor: Visitor, path: str) -> str:
    """Return the text of a page without the impersonation note. Asserts that the note is there."""
    note = visitor.open(path).page.select_one(".by-admin")
    assert note is not None
    note.extract()
    return visitor.text


def test_an_impersonation_parameter_survives_a_restarted_login(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    site.clever.configure(
        replace(
            default_config(site.url),
            apps=tuple(replace(app, loginas_repeats=True) for app in default_config(site.url).apps),
        )
    )
    visitor = by_portal(site, "student")
    site.clever.add_fault("token", drop="after")
    visitor.stop_at = "/oauth/callback"
    visitor.open("/login").stop_at = None
    visitor.open(f"{visitor.url}&loginas_by_admin=true")
    assert visitor.path == "/dashboard"
    logins = [line for line in json_lines(capfd.readouterr().err) if line["event"] == "login"]
    assert [line["impersonation_claimed"] for line in logins] == [False, True]
