"""Tests the functions that an app may replace, by replacing them in a copy of the project."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clever_simulator.config import default_config
from tests.support import running_app
from tests.support.browser_client import send_request
from tests.support.fresh_checkout import copy_app
from tests.support.login_flows import by_button
from tests.support.running_app import ROOT, Site
from tests.support.simulators import run_in_background

OWN_ACCOUNTS = """
import sys
from clever_login import AccountRefused, Identity

def find_or_create(identity: Identity) -> str:
    print("ASKED", identity.subject, identity.district_id, [r.value for r in identity.roles],
          identity.legacy_ids, file=sys.stderr, flush=True)
    if identity.roles[0] == "student":
        raise AccountRefused("Your class starts on Monday.")
    if identity.roles[0] == "district_admin":
        raise OSError("the database of Mei-Ling Ortiz is down")
    return "ours-7"
"""


@contextmanager
def run_in_a_copy(folder: Path, copy: Path) -> Iterator[Site]:
    """Run the app in this copy as a separate process. Its output goes to app.log."""
    port = running_app.free_port()
    url = f"http://localhost:{port}"
    command = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", str(port)]
    with run_in_background() as clever:
        clever.configure(default_config(url))
        settings = running_app.settings_for(url, clever.url, folder)
        env = running_app.environment_variables(settings, port)
        with running_app.run_process(command, env, folder / "app.log", cwd=copy) as child:
            running_app.wait_until_answers(f"{url}/healthz", child)
            yield Site(url, clever, settings)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new))


def blocks(page: str, language: str) -> list[str]:
    """Return the code examples of a page in docs/."""
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def number_of_lines(*texts: str) -> int:
    return sum(1 for text in texts for line in text.splitlines() if line.strip())


def test_a_replaced_find_or_create_is_called_once_per_login_and_may_refuse(tmp_path: Path) -> None:
    copy = copy_app(tmp_path)
    (copy / "accounts.py").write_text(OWN_ACCOUNTS)
    use_own_hooks(copy / "app.py")
    with run_in_a_copy(tmp_path, copy) as site:
        student = by_button(site, "student")
        assert (student.code, student.response.status_code) == ("account_refused", 403)
        assert "Your class starts on Monday." in student.text
        assert student.open("/dashboard").path == "/"
        teacher = by_button(site, "teacher_admin")
        assert teacher.path == "/dashboard"
        teacher.open(f"{site.clever.url}/in/{site.person('teacher').district.shortname}")
        teacher.press("Log out of Clever")
        teacher.open("/login").press("Log in", username="district_admin", password="clever")
        assert teacher.code == "http_500"
        assert teacher.open("/dashboard").path == "/"  # the teacher is logged out as well
        person = site.person("teacher_admin")
    log = (tmp_path / "app.log").read_text().splitlines()
    calls = [line for line in log if line.startswith("ASKED")]
    legacy = tuple(post.legacy_id for post in person.role_assignments)
    assert len(calls) == 3
    assert f"{person.id} {person.district.id} ['teacher', 'staff'] {legacy}" in calls[1]


def use_own_hooks(app_file: Path) -> None:
    """Import the hooks from accounts.py, and pass them to CleverLogin, as documented."""
    (lines,) = [block for block in blocks("accounts.md", "python") if "CleverLogin(" in block]
    imported, arguments = lines.split("\n\n")
    change(app_file, "from flask import ", f"{imported}\nfrom flask import ")
    change(app_file, "    parts.Accounts(),\n", "")
    (added,) = re.findall(r"^    find_or_create=.*", arguments, re.M)
    change(app_file, ", parts=PARTS)", f", parts=PARTS, {added.strip()})")


def test_login_works_without_accounts_and_rosters(tmp_path: Path) -> None:
    copy = copy_app(tmp_path)
    change(copy / "app.py", "    parts.Accounts(),\n", "")
    change(copy / "app.py", "    parts.Rosters(flask_app=__name__),\n", "")
    with run_in_a_copy(tmp_path, copy) as site:
        for name in ("student", "teacher", "school_admin", "district_admin"):
            assert by_button(site, name).path == "/dashboard"
        assert send_request(f"{site.url}/readyz").text == "ready\n"
    assert not list(tmp_path.rglob("school.sqlite3"))


def test_the_documented_users_table_example_works(tmp_path: Path) -> None:
    code = blocks("accounts.md", "python")[-1]
    assert number_of_lines(code) < 30
    copy = copy_app(tmp_path)
    (copy / "accounts.py").write_text(code)
    use_own_hooks(copy / "app.py")
    with run_in_a_copy(tmp_path, copy) as site:
        for name in ("student", "teacher", "student"):
            assert by_button(site, name).path == "/dashboard"
        ids = {site.person(name).id for name in ("student", "teacher")}
    with sqlite3.connect(copy / "users.sqlite3") as connection:
        rows = connection.execute("SELECT clever_id FROM users").fetchall()
    connection.close()
    assert len(rows) == 2
    assert {clever_id for (clever_id,) in rows} == ids


def test_the_documented_first_page_example_works(tmp_path: Path) -> None:
    view, features, _ = blocks("make-it-yours.md", "python")
    page, *_ = blocks("make-it-yours.md", "jinja")
    assert number_of_lines(view, features, page) < 12
    copy = copy_app(tmp_path)
    (copy / "books.py").write_text(view)
    (copy / "templates" / "books.html").write_text(page)
    change(copy / "app.py", "from flask import ", "import books\nfrom flask import ")
    change(copy / "app.py", "    return app\n", "    books.init_app(app)\n    return app\n")
    with run_in_a_copy(tmp_path, copy) as site:
        teacher = by_button(site, "teacher").open("/books")
        assert teacher.heading == f"Books of {site.person('teacher').name.full}"
        assert by_button(site, "student").open("/books").response.status_code == 403
        assert site.visitor().open("/books").path == "/"
