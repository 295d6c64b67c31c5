"""Tests docs/certification.md: everything it names exists, and its answers are accurate."""

from __future__ import annotations

import re
from dataclasses import fields

import click
import pytest

from clever_login.config import Settings
from clever_login.doctor.runner import CHECKS
from tests.project.test_architecture import names_of_tests
from tests.support.running_app import ROOT, Site

TEXT = (ROOT / "docs" / "certification.md").read_text()
QUOTED = set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.S)))
COMMANDS = re.findall(r"```sh\n(.*?)```", TEXT, re.S)
SETTINGS = {field.name.upper() for field in fields(Settings)}


def test_every_test_named_in_the_certification_doc_exists() -> None:
    tests = {name for name in QUOTED if name.startswith("test_")}
    assert len(tests) > 15
    assert tests <= names_of_tests()


def test_every_file_named_in_the_certification_doc_exists() -> None:
    files = {path for path in QUOTED if re.fullmatch(r"\w+(/[\w.]+)+", path)} - {"bin/test"}
    assert len(files) > 8
    for path in (path for path in files if not path.startswith("templates/")):  # those are yours
        assert (ROOT / path).is_file(), path


def test_every_setting_named_in_the_certification_doc_exists() -> None:
    settings = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", TEXT))
    assert len(settings) > 8
    assert settings <= SETTINGS


def test_every_command_named_in_the_certification_doc_exists(site: Site) -> None:
    for script in re.findall(r"\bbin/\w+", TEXT.replace(".venv/bin/gunicorn", "")):
        assert (ROOT / script).stat().st_mode & 0o111, script
    for module in re.findall(r"python -m clever_login\.(\w+)", TEXT):
        assert (ROOT / "clever_login" / module / "__main__.py").is_file()
    for words in re.findall(r"flask --app app clever ([a-z ]+)", TEXT):
        command: click.Command = site.app.cli if site.app else click.Group()
        for word in ["clever", *words.split()]:
            assert isinstance(command, click.Group)
            command = command.commands[word]


@pytest.mark.parametrize(
    ("setting", "answer"),
    [("session_idle_minutes", "{} minutes"), ("session_max_hours", "{} hours")],
)
def test_the_questionnaire_answers_match_the_settings(setting: str, answer: str) -> None:
    default = next(field.default for field in fields(Settings) if field.name == setting)
    assert answer.format(default) in TEXT


def test_the_doctor_output_in_the_certification_doc_is_accurate() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "clever_login/doctor").glob("*.py"))
    source = " ".join(re.sub(r'"\n\s*f?"', "", sources).split())
    section = TEXT.partition("## 6.")[2].partition("## 7.")[0]
    quotes = re.findall(r'"([^"\n]{10,})"', section)
    assert len(quotes) >= 4
    for quote in quotes:
        assert quote in source, quote
    assert "credentials" in {check.name for check in CHECKS}
