"""The functions that a cloner replaces, replaced as a cloner does: in a copy of the project."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from clever_simulator.config import default_config
from clever_simulator.server import running
from tests import sites
from tests.entries import by_button
from tests.sites import ROOT, Site

OWN_ACCOUNTS = """
import sys
from dataclasses import dataclass
from clever_login.errors import AccountRefused

@dataclass(frozen=True)
class Account:
    id: str

def find_or_create(user):
    print("ASKED", user.id, user.district_id, [r.role.value for r in user.roles],
          user.legacy_ids, file=sys.stderr, flush=True)
    if user.roles[0].role == "student":
        raise AccountRefused("Your class starts on Monday.")
    if user.roles[0].role == "district_admin":
        raise OSError("the database of Mei-Ling Ortiz is down")
    return Account(id="ours-7")

def keep_sections(account, sections):
    raise AssertionError("only Clever Library teachers share sections")
"""


def test_a_cloners_find_or_create_is_asked_once_and_may_refuse(tmp_path: Path) -> None:
    copy = tmp_path / "a copy"
    for name in ("clever_login", "templates", "static"):
        shutil.copytree(ROOT / name, copy / name)
    for path in ROOT.glob("*.py"):
        shutil.copy(path, copy)
    (copy / "clever_login" / "accounts.py").write_text(OWN_ACCOUNTS)
    port = sites.free_port()
    url = f"http://localhost:{port}"
    log = tmp_path / "app.log"
    command = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", str(port)]
    with running() as clever:
        clever.configure(default_config(url))
        settings = sites.settings_for(url, clever.url, tmp_path)
        site = Site(url, clever, settings)
        env = sites.environment(settings, port)
        with sites.process(command, env, log, cwd=copy) as child:
            sites.wait_until_answers(f"{url}/healthz", child)
            student = by_button(site, "student")
            assert (student.code, student.response.status_code) == ("account_refused", 403)
            assert "Your class starts on Monday." in student.text
            assert student.open("/dashboard").path == "/"
            teacher = by_button(site, "teacher_admin")
            assert teacher.path == "/dashboard"
            teacher.open(f"{clever.url}/in/{site.person('teacher').district.shortname}")
            teacher.press("Log out of Clever")
            teacher.open("/login").press("Log in", username="district_admin", password="clever")
            assert teacher.code == "http_500"
            assert teacher.open("/dashboard").path == "/"  # nor is the teacher still there
        asked = [line for line in log.read_text().splitlines() if line.startswith("ASKED")]
        person = site.person("teacher_admin")
        legacy = tuple(post.legacy_id for post in person.posts)
        assert len(asked) == 3
        assert f"{person.id} {person.district.id} ['teacher', 'staff'] {legacy}" in asked[1]
