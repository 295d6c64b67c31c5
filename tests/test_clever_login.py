"""Tests CleverLogin's arguments: parts in any order, wrong combinations, options of parts."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

import clever_login
from clever_login import CleverLogin, parts
from clever_login.parts import Part
from tests.conftest import SiteMaker
from tests.support import session_file
from tests.support.browser_client import NAVIGATION_HEADERS, Visitor, send_request
from tests.support.existing_app import register_callback_with_prefix
from tests.support.login_flows import by_button, log_in_at_clever
from tests.support.reference_app.app import PARTS
from tests.support.running_app import ROOT, Site
from tests.support.starter import make_starter, parts_with


def parts_named(*names: str) -> list[Part]:
    """Return the starter's parts of these names."""
    return [part for part in PARTS if type(part).__name__ in names]


@pytest.mark.parametrize(
    ("names", "arguments", "message"),
    [
        (["IdleTimeout", "Languages", "ErrorPages"], {}, "parts.IdleTimeout needs parts.Sessions"),
        (["Rosters"], {"on_login": print}, "parts.Rosters needs parts.Sessions"),
        (["Sessions", "Languages", "ErrorPages", "StaticFiles"], {}, "needs parts.SecurityHeaders"),
        ([], {}, "CleverLogin needs on_login or parts.Sessions"),
        (
            ["Sessions", "Languages", "ErrorPages", "Accounts"],
            {"find_or_create": lambda identity: identity.subject},
            "both find_or_create and parts.Accounts",
        ),
    ],
)
def test_conflicting_arguments_are_named_in_the_error(
    names: list[str], arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        CleverLogin(parts=parts_named(*names), **arguments)  # type: ignore[arg-type]


def test_a_part_that_is_passed_twice_is_named_in_the_error() -> None:
    twice = [*PARTS, parts.Health()]
    with pytest.raises(TypeError, match=r"got parts\.Health twice"):
        CleverLogin(parts=twice)


def test_an_app_without_the_librarys_tables_does_not_use_database_url(
    make_site: SiteMaker,
) -> None:
    without = [part for part in PARTS if type(part).__name__ not in {"Accounts", "Rosters"}]
    site = make_site(
        make_app=lambda settings: make_starter(settings, parts=without),
        database_url="postgresql://nobody@127.0.0.1:9/products_own",
    )
    assert by_button(site, "teacher").path == "/dashboard"
    assert len(session_file.values(site, "session-*")) == 1


def test_parts_may_have_any_order(make_site: SiteMaker) -> None:
    site = make_site(make_app=lambda settings: make_starter(settings, parts=PARTS[::-1]))
    assert by_button(site, "teacher").path == "/dashboard"
    response = send_request(f"{site.url}/dashboard", headers=NAVIGATION_HEADERS)
    assert response.status_code == 302


def test_the_login_has_the_url_prefix_that_the_app_chooses(make_site: SiteMaker) -> None:
    site = make_site(make_app=lambda settings: make_starter(settings, url_prefix="/clever"))
    visitor = site.visitor().open("/")
    link = visitor.page.find("a", class_="clever-button")
    assert link
    assert str(link["href"]).startswith("/clever/login")
    response = send_request(f"{site.url}/clever/login")
    assert "%2Fclever%2Foauth%2Fcallback" in response.headers["Location"]
    assert send_request(f"{site.url}/login").status_code == 404
    assert send_request(f"{site.url}/healthz").text == "ok\n"  # platforms look for it there


@pytest.mark.parametrize("subject", ["An app with Flask-Login", "A Flask app with a login"])
def test_a_documented_app_logs_a_student_in(
    make_site: SiteMaker, tmp_path: Path, subject: str
) -> None:
    """It has the default prefix, and neither a database nor templates of its own."""
    page = (ROOT / "docs" / "library.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    (module,) = (block for block in blocks if block.startswith(f'"""{subject}'))
    (tmp_path / "documented.py").write_text(module)
    create_app = runpy.run_path(str(tmp_path / "documented.py"), run_name="documented")[
        "create_app"
    ]
    site = make_site(make_app=create_app)
    register_callback_with_prefix(site)
    visitor = Visitor(site.url, checks_pages=False).open("/clever/login")
    visitor.click(site.person("student").district.name)
    assert log_in_at_clever(visitor, "student").response.text == "Hello Ada"


@pytest.mark.parametrize("after_login", ["/district", "clever_login.district"])
def test_home_and_after_login_may_be_paths_or_endpoints(
    make_site: SiteMaker, after_login: str
) -> None:
    site = make_site(
        make_app=lambda settings: make_starter(
            settings, home="dashboard.home", after_login=after_login
        )
    )
    assert by_button(site, "district_admin").path == "/district"
    assert site.visitor().open("/dashboard").path == "/"


def with_parts(make_site: SiteMaker, *changed: Part) -> Site:
    return make_site(make_app=lambda settings: make_starter(settings, parts=parts_with(*changed)))


def test_a_field_of_a_part_replaces_the_setting_of_that_name(make_site: SiteMaker) -> None:
    site = with_parts(make_site, parts.Sessions(idle_minutes=7))
    student = by_button(site, "student")
    assert 'content="421' in student.response.text


def test_the_content_security_policy_can_be_extended(make_site: SiteMaker) -> None:
    site = with_parts(make_site, parts.SecurityHeaders(csp={"img-src": "'self' data:"}))
    policy = send_request(f"{site.url}/").headers["Content-Security-Policy"]
    assert "img-src 'self' data:;" in policy
    assert "script-src 'self';" in policy


def test_a_nonce_is_allowed_only_in_the_response_that_uses_it(make_site: SiteMaker) -> None:
    from clever_login.web.security_headers import csp_nonce

    def make_app(settings: clever_login.Settings) -> Flask:
        app = make_starter(settings)
        view = clever_login.public(lambda: f'<script nonce="{csp_nonce()}">1</script>')
        app.add_url_rule("/inline", "inline", view)
        return app

    site = make_site(make_app=make_app)
    first, second = (send_request(f"{site.url}/inline") for _ in range(2))
    nonce = first.text.split('"')[1]
    assert f"script-src 'self' 'nonce-{nonce}'" in first.headers["Content-Security-Policy"]
    assert nonce not in second.text
    assert "nonce" not in send_request(f"{site.url}/").headers["Content-Security-Policy"]


def test_a_header_that_a_view_sets_replaces_the_librarys(make_site: SiteMaker) -> None:
    def make_app(settings: clever_login.Settings) -> Flask:
        app = make_starter(settings)
        view = clever_login.public(lambda: ("photo", {"permissions-policy": "camera=(self)"}))
        app.add_url_rule("/camera", "camera", view)
        return app

    headers = send_request(f"{make_site(make_app=make_app).url}/camera").headers
    assert headers["Permissions-Policy"] == "camera=(self)"  # two would be joined with a comma
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_further_host_name_can_be_allowed(make_site: SiteMaker) -> None:
    site = with_parts(make_site, parts.SecurityHeaders(hosts=("reading.example.com",)))
    responses = {
        host: send_request(f"{site.url}/", headers={"Host": host}).status_code
        for host in ("reading.example.com", "evil.example.com")
    }
    assert responses == {"reading.example.com": 200, "evil.example.com": 400}


def test_the_request_size_limit_can_be_changed(make_site: SiteMaker) -> None:
    site = with_parts(make_site, parts.SecurityHeaders(max_body=200))
    response = send_request(f"{site.url}/still-here", "POST", data={"a": "x" * 300})
    assert response.status_code == 413


def test_each_public_name_is_importable_and_nothing_else_is_public() -> None:
    for name in clever_login.__all__:
        assert getattr(clever_login, name) is not None
    documented = (ROOT / "docs" / "library.md").read_text()
    for name in clever_login.__all__:
        assert f"`{name}" in documented, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = clever_login.nothing


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import clever_login", "flask"),
        ("import clever_login.clever.profile", "flask"),
        ("from clever_login import Settings, SettingsError, Role", "flask"),
        ("import clever_login.doctor.runner", "flask.app"),
        ("from clever_login import CleverLogin, parts, current_user", "sqlalchemy"),
        ("from clever_login import parts; parts.Database(migrations='m')", "sqlalchemy"),
        ("from clever_login import rosters", "sqlalchemy"),
        ("from clever_login.rosters import NotVisible, Person, viewer, operator", "sqlalchemy"),
        ("import clever_login.rosters.views", "sqlalchemy"),
        ("from clever_login import signals; signals.people_created", "sqlalchemy"),
        ("from clever_login import signals; signals.people_created", "flask"),
        ("import tests.support.reference_app.app", "sqlalchemy"),
    ],
)
def test_importing_a_public_name_loads_only_the_modules_it_needs(code: str, absent: str) -> None:
    program = f"import sys\n{code}\nprint({absent!r} in sys.modules)"
    command = [sys.executable, "-c", program]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.stdout, result.stderr) == ("False\n", "")
