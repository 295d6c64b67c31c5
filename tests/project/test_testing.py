"""Tests clever_login.testing and clever_simulator.testing, and the examples in docs/testing.md."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from flask import Flask, request

from clever_login import (
    AccountRefused,
    CleverLogin,
    Identity,
    Role,
    Settings,
    current_user,
    parts,
    rosters,
)
from clever_login.testing import NotLoggedIn, browser, login_as, sample_settings
from clever_simulator.testing import run_simulator
from tests.make_it_yours import CHANGES, COPIES, change_of
from tests.support.account_app import flask_app, people_rows, run_flask_clever
from tests.support.existing_app import ExistingApp
from tests.support.fresh_checkout import copy_app
from tests.support.page_source import without_random_values
from tests.support.reference_app.app import create_app
from tests.support.running_app import ROOT, Site
from tests.support.starter import make_starter


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return create_app(sample_settings(tmp_path_factory.mktemp("app")))


@pytest.mark.parametrize("role", Role)
def test_login_as_opens_the_dashboard_of_each_role(app: Flask, role: Role) -> None:
    client = browser(app)
    user = login_as(client, role, first_name="Zoë")
    assert f'data-role="{role}"' in client.get("/dashboard").text
    assert (user.role, user.roles, user.district_id) == (role, (role,), "test-district")


def test_login_as_works_with_the_test_client_of_flask(app: Flask) -> None:
    client = app.test_client()
    login_as(client, "teacher", first_name="Grace")
    assert "Grace" in client.get("/dashboard").text
    with client:
        login_as(client, "student")
        client.get("/dashboard")
        user = current_user()
        assert user
        assert user.role == Role.STUDENT


def test_the_same_user_has_the_same_account_in_every_client(app: Flask) -> None:
    first, second = (login_as(browser(app), "teacher", first_name="Grace") for _ in range(2))
    other = login_as(browser(app), "teacher", first_name="Ada")
    assert first.account_id == second.account_id == first.person_id
    assert other.account_id != first.account_id


def test_login_as_accepts_every_field_of_a_clever_user(app: Flask) -> None:
    user = login_as(
        browser(app),
        "staff",
        roles=["teacher"],
        subject="of-our-own",
        email="grace@example.org",
        district_id="another",
        schools={"s1": "North", "s2": "South"},
    )
    assert user.clever_id == "of-our-own"
    assert (user.role, user.roles) == (Role.STAFF, (Role.TEACHER, Role.STAFF))
    assert (user.email, user.district_id) == ("grace@example.org", "another")
    assert [school.name for school in user.schools.value or ()] == ["North", "South"]


def test_a_user_may_have_no_role(app: Flask) -> None:
    user = login_as(browser(app))
    assert (user.role, user.roles) == (None, ())


def test_login_as_logs_the_former_user_out(app: Flask) -> None:
    client = browser(app)
    login_as(client, "teacher", first_name="Grace")
    login_as(client, "student", first_name="Ada")
    page = without_random_values(client.get("/dashboard").text)
    assert "Ada" in page
    assert "Grace" not in page


def test_login_as_finds_a_person_of_a_synced_roster(site: Site) -> None:
    run_flask_clever(site, "sync")
    teacher = site.person("teacher")
    (row,) = [row for row in people_rows(site) if row.clever_id == teacher.id]
    client = browser(flask_app(site))
    with client:
        user = login_as(client, person_id=row.id)
        client.get("/dashboard")
        sections = rosters.sections()
    assert (user.person_id, user.clever_id, user.role) == (row.id, teacher.id, Role.TEACHER)
    assert user.full_name == teacher.name.full
    assert sections.total > 0
    with pytest.raises(LookupError):
        login_as(client, person_id="nobody")


def test_a_person_of_a_roster_keeps_the_schools_of_each_role(site: Site) -> None:
    run_flask_clever(site, "sync")
    person = site.person("teacher_admin")
    (row,) = [row for row in people_rows(site) if row.clever_id == person.id]
    user = login_as(browser(flask_app(site)), "staff", person_id=row.id)
    assert user.roles == (Role.TEACHER, Role.STAFF)
    assert {school.name for school in user.schools.value or ()} == {
        school.name for assignment in person.role_assignments for school in assignment.schools
    }


def test_login_as_uses_the_apps_own_accounts_and_refusals(tmp_path: Path) -> None:
    def own_account(identity: Identity) -> str:
        return f"ours-{identity.first_name}"

    def on_login(identity: Identity) -> None:
        if identity.role is Role.STUDENT:
            raise AccountRefused("This app is for teachers.")

    app = make_starter(
        sample_settings(tmp_path),
        without=("Accounts",),
        find_or_create=own_account,
        on_login=on_login,
    )
    client = browser(app)
    assert login_as(client, "teacher", first_name="Grace").account_id == "ours-Grace"
    with pytest.raises(NotLoggedIn) as refused:
        login_as(client, "student")
    assert "This app is for teachers." in refused.value.response.text
    assert client.get("/dashboard").status_code == 302


def test_login_as_needs_no_database(tmp_path: Path) -> None:
    app = make_starter(sample_settings(tmp_path), without=("Accounts", "Rosters"))
    user = login_as(browser(app), "teacher")
    assert user.account_id == user.clever_id
    assert user.person_id is None
    assert not list(tmp_path.glob("*.sqlite3"))


def test_login_as_works_in_an_app_with_its_own_sessions(tmp_path: Path) -> None:
    existing = ExistingApp()
    client = existing.create(sample_settings(tmp_path)).test_client()
    user = login_as(client, "student", first_name="Ada")
    assert (user.role, user.district_id) == (Role.STUDENT, "test-district")
    assert "Hello Ada" in client.get("/").text
    with pytest.raises(NotLoggedIn, match="This shop is for students and teachers"):
        login_as(client, "staff")


@pytest.mark.parametrize(
    "changes",
    [
        {"clever_oidc": True},
        {"clever_library": True},
        {"clever_api_version": "v1.2"},
        {"clever_district_ids": ("d1", "d2")},
        {"app_url": "https://reading.example.org"},
        {"ask_preferred_name": True},
        {"session_single": True},
    ],
    ids=str,
)
def test_login_as_works_with_every_setting(tmp_path: Path, changes: dict[str, object]) -> None:
    client = browser(create_app(sample_settings(tmp_path, **changes)))
    login_as(client, "teacher")
    assert client.get("/dashboard").status_code == 200


def test_login_as_works_with_the_default_prefix_and_few_parts(tmp_path: Path) -> None:
    app = Flask("few", root_path=str(tmp_path), instance_path=str(tmp_path))
    few = [parts.Sessions(), parts.Languages(), parts.ErrorPages()]
    CleverLogin(app, sample_settings(tmp_path), parts=few)
    assert login_as(app.test_client(), "student").role == Role.STUDENT


def test_login_as_refuses_to_work_in_production(tmp_path: Path) -> None:
    settings = sample_settings(tmp_path, app_env="production", app_url="https://example.org")
    with pytest.raises(RuntimeError, match="development"):
        login_as(browser(create_app(settings)), "teacher")


def test_login_as_reports_an_app_without_the_library(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no CleverLogin"):
        login_as(Flask("other", instance_path=str(tmp_path)).test_client(), "teacher")


def test_after_login_as_the_app_asks_clever_again(app: Flask) -> None:
    client = browser(app)
    login_as(client, "teacher")
    state = client.get("/login").location.partition("state=")[2].partition("&")[0]
    assert client.get(f"/oauth/callback?code=x&state={state}").status_code == 503  # no Clever here


def test_a_browser_sends_the_token_of_its_session(tmp_path: Path) -> None:
    def books() -> str:
        return str(request.form.get("title") or (request.get_json() or {}).get("title"))

    app = create_app(sample_settings(tmp_path))
    app.add_url_rule("/books", view_func=books, methods=["POST"])
    client = browser(app)
    login_as(client, "teacher")
    assert client.submit("/books", title="Dune").text == "Dune"
    assert client.fetch("/books", "POST", json={"title": "Emma"}).text == "Emma"
    assert client.post("/books", data={"title": "Dune"}).status_code == 400
    assert client.fetch("/nothing-here").content_type == "application/problem+json"
    assert client.get("/nothing-here").content_type.startswith("text/html")


def test_the_simulator_logs_in_at_any_callback_url_and_answers_clevers_questions(
    tmp_path: Path,
) -> None:
    with run_simulator(callback="/c/oauth/callback") as clever:
        settings = sample_settings(tmp_path, clever_confirm_students=True, **clever.settings)
        client = browser(make_starter(settings, url_prefix="/c"))
        for name in ("student", "teacher_admin", "district_admin2"):
            callback_url = clever.log_in(client.get("/c/login").location, name)
            assert client.get(callback_url).location == "/dashboard"
            assert clever.person(name).name.last in client.get("/dashboard").text


def test_an_error_names_the_user_who_cannot_log_in_at_the_simulator(app: Flask) -> None:
    with run_simulator() as clever:
        with pytest.raises(ValueError, match="not an address of the simulator"):
            clever.log_in("https://clever.com/oauth/authorize", "student")
        with pytest.raises(LookupError, match="student"):
            clever.log_in(f"{clever.simulator.url}/oauth/authorize?client_id=none", "student")
    assert app.extensions


def test_the_examples_in_the_testing_doc_pass(tmp_path: Path) -> None:
    folder = copy_app(tmp_path)
    (folder / "clever_simulator").symlink_to(ROOT / "clever_simulator")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "testing.md").read_text(), re.S)
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        (folder / f"test_example_{number}.py").write_text(block)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    command += ["-c", str(ROOT / "pyproject.toml"), "."]  # it leaves slow plugins out
    result = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert "5 passed" in result.stdout, result.stdout + result.stderr


def test_sample_settings_take_fields_of_settings(tmp_path: Path) -> None:
    settings = sample_settings(tmp_path, session_idle_minutes=7)
    assert isinstance(settings, Settings)
    assert (settings.session_idle_minutes, settings.instance_path) == (7, str(tmp_path))


def test_each_documented_change_is_tested_on_some_day() -> None:
    first = date(2026, 9, 1)
    names = {change_of(first + timedelta(days=day)) for day in range(len(CHANGES))}
    assert names == CHANGES.keys()
    assert change_of(first) == change_of(first + timedelta(days=len(CHANGES)))


def test_a_run_of_all_documented_changes_makes_each_once() -> None:
    made = [change for changes in COPIES for change in changes]
    assert sorted(made, key=str) == sorted(CHANGES.values(), key=str)
