"""Tests Clever Library logins: a teacher shares the app without a district; students follow."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from clever_login.api_versions import VERSIONS
from clever_login.auth.account_hooks import AccountHooks
from clever_login.auth.identity import Account
from clever_login.clever.models import User
from clever_login.clever.user_client import SharedSection
from clever_login.config import Settings
from clever_simulator.config import Config
from tests.conftest import SiteMaker
from tests.support.browser_client import Visitor
from tests.support.login_flows import LOGIN_FLOWS, by_button
from tests.support.running_app import ROOT, Site
from tests.support.starter import make_starter


class LoginRecorder:
    """Records what a login would write to the library's tables: every user and every section."""

    def __init__(self) -> None:
        self.users: list[User] = []
        self.sections: dict[str, tuple[SharedSection, ...]] = {}

    def find_person(self, user: User) -> Account:
        self.users.append(user)
        return Account(id=user.id)

    def save_sections(self, teacher_id: str, sections: tuple[SharedSection, ...]) -> None:
        self.sections[teacher_id] = sections

    def make_app(self, settings: Settings) -> Flask:
        app = make_starter(settings, without=("Accounts", "Rosters"))
        AccountHooks(find_person=self.find_person, save_sections=self.save_sections).install(app)
        return app


@pytest.fixture
def recorder() -> LoginRecorder:
    return LoginRecorder()


@pytest.fixture
def make_library(make_site: SiteMaker, recorder: LoginRecorder) -> Callable[..., Site]:
    """Start a Clever Library app that records the accounts and sections it is given."""

    def make(**changes: Any) -> Site:
        return make_site(
            make_app=recorder.make_app, clever_client_id="simulator-library", **changes
        )

    return make


def log_in_with_consent(site: Site, user_name: str = "teacher", entry: str = "button") -> Visitor:
    """A teacher's first login: Clever asks whether the app may see the teacher's classes."""
    visitor = LOGIN_FLOWS[entry](site, user_name)
    with suppress(AssertionError):  # Clever asks only once
        visitor.press("Yes")
    return visitor


@pytest.mark.parametrize("number", [0, 1])
def test_a_teacher_logs_in_with_each_accounts_module_of_the_documents(
    make_site: SiteMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    text = (ROOT / "docs" / "accounts.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    modules = [block for block in blocks if block.startswith('"""')]
    (tmp_path / "accounts.py").write_text(modules[number])
    module = runpy.run_path(str(tmp_path / "accounts.py"))
    monkeypatch.chdir(tmp_path)  # one of the modules creates its table in the working directory

    def make_app(settings: Settings) -> Flask:
        if "on_login" in module:
            return make_starter(settings, on_login=module["on_login"])
        hook = module["find_or_create"]
        return make_starter(settings, without=("Accounts",), find_or_create=hook)

    site = make_site(make_app=make_app, clever_client_id="simulator-library")
    assert log_in_with_consent(site).path == "/dashboard"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_library_teachers_sections_and_students_are_read_in_every_version(
    make_library: Callable[..., Site], recorder: LoginRecorder, version: str
) -> None:
    site = make_library(clever_api_version=version)
    visitor = log_in_with_consent(site)
    teacher = site.person("teacher")
    own_sections = [
        section for section in site.clever.people.sections if section.teacher == teacher
    ]
    assert (visitor.path, visitor.role) == ("/dashboard", "teacher")
    assert "District" not in visitor.text
    (sections,) = recorder.sections.values()
    assert {section.section.name for section in sections} == {
        section.name for section in own_sections
    }
    for section in own_sections:
        (stored,) = [shared for shared in sections if shared.section.id == section.id]
        assert {person.id for person in stored.students} == {
            student.id for student in section.students
        }
        assert all(len(person.last_name or "") <= 2 for person in stored.students)
        assert all(person.email is None for person in stored.students)
        assert f"{section.name} , {len(section.students)} students" in visitor.text


def test_a_library_teachers_student_can_log_in_before_the_teachers_next_login(
    make_library: Callable[..., Site], recorder: LoginRecorder
) -> None:
    site = make_library()
    log_in_with_consent(site)
    student = next(
        section.students[0]
        for section in site.clever.people.sections
        if section.teacher == site.person("teacher")
    )
    visitor = by_button(site, student.user_name)
    assert (visitor.path, visitor.role) == ("/dashboard", "student")
    assert student.name.last not in visitor.text or len(student.name.last) < 3
    user = recorder.users[-1]
    assert (user.id, user.district_id, user.email) == (student.id, None, None)
    (sections,) = recorder.sections.values()
    assert student.id in {person.id for section in sections for person in section.students}


def test_library_sections_are_read_again_at_each_login(
    make_library: Callable[..., Site], recorder: LoginRecorder
) -> None:
    site = make_library()
    for times in (1, 2):
        recorder.sections.clear()
        assert log_in_with_consent(site).path == "/dashboard"
        assert len(recorder.sections) == 1
        paths = [request["path"] for request in site.clever.received_requests()]
        assert sum(path.endswith(f"{site.person('teacher').id}/sections") for path in paths) == (
            times
        )


def test_a_library_teacher_without_sections_can_log_in_and_is_told_so(
    make_library: Callable[..., Site], recorder: LoginRecorder
) -> None:
    site = make_library()
    visitor = log_in_with_consent(site, "no_sections")
    assert visitor.role == "teacher"
    assert "Clever does not share any of your classes with this app yet." in visitor.text
    assert list(recorder.sections.values()) == [()]


def test_a_login_succeeds_when_library_sections_cannot_be_read(
    make_library: Callable[..., Site], recorder: LoginRecorder
) -> None:
    site = make_library()
    site.clever.add_fault("data", times=0, status=503)
    visitor = log_in_with_consent(site)
    assert visitor.path == "/dashboard"
    assert "Your classes: not available right now" in visitor.text
    assert recorder.sections == {}


@pytest.mark.parametrize("entry", ["button", "portal"])
def test_a_library_login_works_from_the_button_and_from_the_library(
    make_library: Callable[..., Site], entry: str
) -> None:
    assert log_in_with_consent(make_library(), entry=entry).path == "/dashboard"


def test_the_home_page_offers_sign_up_for_a_library_app(
    make_library: Callable[..., Site],
) -> None:
    site = make_library(clever_library=True)
    visitor = site.visitor().open("/").click("Sign up with Clever")
    assert visitor.url.startswith(site.clever.url)


def test_the_home_page_offers_no_sign_up_for_other_apps(site: Site) -> None:
    assert "Sign up" not in site.visitor().open("/").text


def test_a_library_user_who_later_joins_through_a_district_keeps_their_account(
    make_library: Callable[..., Site], recorder: LoginRecorder
) -> None:
    site = make_library()
    log_in_with_consent(site)
    app = site.clever.app.extensions["clever_simulator"].config.app("simulator-library")
    site.clever.configure(Config(apps=(replace(app, tier="secure_sync"),)))
    assert by_button(site, "teacher").path == "/dashboard"
    before, after = recorder.users
    assert (before.id, before.district_id, before.school_ids) == (after.id, None, ())
    assert after.district_id == site.person("teacher").district.id
    assert len(after.school_ids) == 1


def test_invalid_values_and_records_without_an_id_affect_nothing_else(
    make_library: Callable[..., Site], recorder: LoginRecorder, capfd: pytest.CaptureFixture[str]
) -> None:
    site = make_library()
    log_in_with_consent(site)
    student = next(iter(recorder.sections.values()))[0].students[0]
    odd = {"id": student.id, "name": {"first": "Mei", "last": 7}, "email": ["x"], "roles": [7]}
    section = {"id": "5ec", "name": "A class", "grade": [], "students": 7}
    nobody = [None, 7, {"data": None}, {"data": {"id": "../me"}}]
    site.clever.add_fault("data", body=json.dumps({"data": [*nobody, {"data": section}]}))
    site.clever.add_fault("data", body=json.dumps({"data": [*nobody, {"data": odd}]}))
    capfd.readouterr()
    assert "A class" in by_button(site, "teacher").text
    (shared,) = recorder.sections.popitem()[1]
    (person,) = shared.students
    assert (person.id, person.first_name, person.last_name) == (student.id, "Mei", None)
    assert student.id not in capfd.readouterr().err


def test_a_malformed_section_list_is_reported_as_unreadable(
    make_library: Callable[..., Site],
) -> None:
    site = make_library()
    log_in_with_consent(site)
    site.clever.add_fault("data", body=json.dumps({"data": {"id": "5ec"}}))
    assert "Your classes: not available right now" in by_button(site, "teacher").text


def test_sections_are_requested_only_for_library_teachers(site: Site) -> None:
    by_button(site, "teacher")
    assert not [e for e in site.clever.received_requests() if "sections" in e["path"]]
