"""Tests an app whose own templates and static files replace those of the library."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from clever_login import CleverLogin, Settings, parts
from clever_login.i18n.catalogs import LIBRARY_FOLDER, Catalogs
from tests.conftest import SiteMaker
from tests.support import reference_app
from tests.support.browser_client import NAVIGATION_HEADERS, send_request
from tests.support.fresh_checkout import copy_app, run_copied_app, run_module
from tests.support.login_flows import by_button
from tests.support.running_app import ROOT, Site
from tests.support.starter import make_starter, parts_with

LAYOUT = """<!doctype html>
<html lang="en"><head><title>{{ self.heading() | striptags }} in our look</title></head>
<body><main><h1 class="ours">{% block heading %}{% endblock %}</h1>
{% block content %}{% endblock %}</main></body></html>
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the app's own files."""
    for name in ("templates", "static", "translations"):
        shutil.copytree(reference_app.FOLDER / name, tmp_path / "root" / name)
    return tmp_path / "root"


def start(make_site: SiteMaker, root: Path, **arguments: Any) -> Site:
    return make_site(make_app=lambda settings: make_starter(settings, root=root, **arguments))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_one_file_gives_all_pages_the_look_of_the_app(make_site: SiteMaker, root: Path) -> None:
    write(root / "templates" / "layout.html", LAYOUT)
    write(
        root / "templates" / "clever_login" / "base.html",
        '{# clever_login 1 #}{% extends "layout.html" %}',
    )
    site = start(make_site, root)
    student = by_button(site, "student")
    for path in ("/dashboard", "/no-such-page"):
        student.open(path)
        assert student.page.title
        assert student.page.title.text.endswith("in our look")
        assert student.page.find("h1", class_="ours")


def test_a_template_of_the_app_replaces_the_librarys(make_site: SiteMaker, root: Path) -> None:
    write(
        root / "templates" / "clever_login" / "logged_out.html",
        '{# clever_login 1 #}{% extends "clever_login/base.html" %}'
        "{% block heading %}Bye!{% endblock %}",
    )
    assert start(make_site, root).visitor().open("/logged-out").heading == "Bye!"


CATALOG = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'


def write_texts(root: Path, language: str, **texts: str) -> None:
    entries = "".join(f'msgid "{text}"\nmsgstr "{own}"\n\n' for text, own in texts.items())
    write(root / "translations" / language / "LC_MESSAGES" / "messages.po", CATALOG + entries)


def heading_of(site: Site, path: str, language: str) -> str:
    return site.visitor().open(path, **{"Accept-Language": language}).heading


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_text_of_the_app_replaces_the_librarys(
    make_site: SiteMaker, root: Path, language: str
) -> None:
    write_texts(root, language, **{"You are logged out": "¡Bye!"})
    site = start(make_site, root)
    assert heading_of(site, "/logged-out", language) == "¡Bye!"
    other_headings = {"en": "We can't find this page", "es": "No encontramos esta página"}
    assert heading_of(site, "/no-such-page", language) == other_headings[language]


def test_an_empty_or_broken_text_of_the_app_leaves_that_of_the_library(root: Path) -> None:
    texts = {"You are logged out": "", "We can't find this page": "<b>No está</b>"}
    write_texts(root, "es", **texts)
    spanish = Catalogs(LIBRARY_FOLDER, root / "translations").translations("es")
    assert [spanish.gettext(text) for text in texts] == [
        "Se cerró tu sesión",
        "No encontramos esta página",
    ]


def test_a_language_with_only_app_texts_is_offered_and_library_texts_are_english(
    make_site: SiteMaker, root: Path
) -> None:
    write_texts(root, "it", **{"You are logged out": "Ciao!"})
    site = start(make_site, root)
    assert heading_of(site, "/logged-out", "it") == "Ciao!"
    assert heading_of(site, "/no-such-page", "it") == "We can't find this page"


def test_an_app_can_limit_its_languages(make_site: SiteMaker, root: Path) -> None:
    write_texts(root, "it", **{"You are logged out": "Ciao!"})
    only_italian = parts_with(parts.Languages(only=("it",)))
    site = start(make_site, root, parts=only_italian)
    page = site.visitor().open("/").page
    assert [link.get_text() for link in page.select(".languages a")] == ["English", "Italiano"]
    assert heading_of(site, "/logged-out", "es") == "You are logged out"
    with pytest.raises(ValueError, match="translations/fr is missing"):
        make_starter(site.settings, parts=parts_with(parts.Languages(only=("fr",))))


def test_the_library_has_spanish_pages_without_translations_of_the_app(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    def make_app(settings: Settings) -> Flask:
        app = Flask("alone", root_path=str(tmp_path), instance_path=settings.instance_path)
        needed = [
            parts.Sessions(),
            parts.Languages(),
            parts.ErrorPages(),
            parts.SecurityHeaders(),
            parts.ClosedByDefault(),
        ]
        CleverLogin(app, settings, url_prefix="", parts=needed)
        return app

    site = make_site(make_app=make_app)
    assert heading_of(site, "/logged-out", "es") == "Se cerró tu sesión"
    assert heading_of(site, "/no-such-page", "es-MX") == "No encontramos esta página"


def test_a_static_file_of_the_app_replaces_the_librarys(make_site: SiteMaker, root: Path) -> None:
    write(root / "static" / "clever_login" / "icon.svg", "<svg><!-- ours --></svg>")
    site = start(make_site, root)
    page = send_request(site.url).text
    (path,) = set(re.findall(r'"(/static/clever_login/icon[^"]*)"', page))
    assert re.search(r"icon\.[0-9a-f]{12}\.svg$", path)
    for url in (path, "/static/clever_login/icon.svg"):
        assert "ours" in send_request(f"{site.url}{url}").text
    assert "ours" not in send_request(f"{site.url}/static/clever_login/lost.svg").text


def test_static_files_outside_the_folder_are_not_served(make_site: SiteMaker, root: Path) -> None:
    site = start(make_site, root)
    for name in ("../__init__.py", "..%2f__init__.py", "../../app.py", "nothing.css"):
        assert send_request(f"{site.url}/static/clever_login/{name}").status_code == 404


@pytest.mark.parametrize("first_line", ["{# clever_login 0 #}", "{# clever_login 0 -#}"])
def test_an_outdated_template_is_named_at_startup(
    make_site: SiteMaker, root: Path, capfd: pytest.CaptureFixture[str], first_line: str
) -> None:
    write(root / "templates" / "clever_login" / "error.html", f"{first_line}\n")
    write(root / "templates" / "clever_login" / "of_our_own.html", f"{first_line}\n")
    write(root / "templates" / "clever_login" / "away.html", "{# clever_login 1 #}\n")
    start(make_site, root)
    events = [line for line in capfd.readouterr().err.splitlines() if "template_outdated" in line]
    assert len(events) == 1
    assert '"template": "error.html"' in events[0]


def test_each_template_of_the_library_has_a_number() -> None:
    templates = (ROOT / "clever_login" / "templates" / "clever_login").glob("*.html")
    for path in templates:
        assert re.match(r"\{# clever_login \d+ -#\}\n", path.read_text()), path.name


def test_the_doctor_names_an_outdated_template(tmp_path: Path) -> None:
    folder = copy_app(tmp_path)
    write(folder / "templates" / "clever_login" / "error.html", "{# clever_login 0 #}\n")
    result = subprocess.run(
        [sys.executable, "-m", "clever_login.doctor", "--offline"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "templates/clever_login/error.html replaces a template" in " ".join(
        result.stdout.split()
    )


def test_an_app_keeps_its_files_when_the_package_is_replaced(tmp_path: Path) -> None:
    """The new version of the package has a newer error page, which the app has replaced."""
    folder = copy_app(tmp_path)
    home = folder / "templates" / "home.html"
    write(home, home.read_text().replace("Need help? Ask your teacher.", "Hello, readers"))
    write(
        folder / "templates" / "clever_login" / "error.html",
        '{# clever_login 1 #}{% extends "clever_login/base.html" %}'
        "{% block heading %}Our own trouble{% endblock %}",
    )
    write(folder / "static" / "style.css", ":root { --ours: teal }")
    shutil.rmtree(folder / "clever_login")
    shutil.copytree(ROOT / "clever_login", folder / "clever_login")
    newer = folder / "clever_login" / "templates" / "clever_login" / "error.html"
    newer.write_text(newer.read_text().replace("{# clever_login 2 -#}", "{# clever_login 3 -#}"))
    with run_copied_app(folder, tmp_path / "app.log") as url:
        first = send_request(f"{url}/", headers=NAVIGATION_HEADERS).text
        stylesheet = re.search(r'href="(/static/style[^"]*)"', first)
        assert "Hello, readers" in first
        assert stylesheet
        assert "--ours" in send_request(f"{url}{stylesheet[1]}").text
        assert "Our own trouble" in send_request(f"{url}/none", headers=NAVIGATION_HEADERS).text
        assert (
            "Bye! See you soon."
            in send_request(f"{url}/logged-out", headers=NAVIGATION_HEADERS).text
        )
    log = (tmp_path / "app.log").read_text()
    outdated = [json.loads(line) for line in log.splitlines() if "template_outdated" in line]
    assert {event["template"] for event in outdated} == {"error.html"}
    _, report = run_module(folder, tmp_path / "doctor.log", "clever_login.doctor")
    assert "error.html" in report
