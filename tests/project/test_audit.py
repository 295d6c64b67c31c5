"""Tests that bin/audit never looks like a pass when it could not look anything up."""

from __future__ import annotations

import re
import runpy
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.running_app import ROOT
from tools import advisories, throwaway_venv
from tools.terminal import SetupError

PACKAGES = {"flask": "3.1.3", "requests": "2.34.2"}
Auditor = Callable[..., str]
LIES = "No known vulnerabilities found"


def entry(name: str, version: str, *ids: str) -> dict[str, Any]:
    return {"name": name, "version": version, "vulns": [{"id": i, "fix_versions": []} for i in ids]}


CONTROL = entry(*advisories.CONTROL, "PYSEC-2018-28")
CLEAN = [entry("Flask", "3.1.3"), entry("requests", "2.34.2"), CONTROL]
SKIPPED = {"name": "flask", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def auditor(tmp_path: Path) -> Auditor:
    """Writes a program that acts as pip-audit: it runs this code, with `pins` and `report`."""

    def write(code: str) -> str:
        program = tmp_path / "pip-audit"
        program.write_text(
            f"#!{sys.executable}\nimport json, os, sys, time\nfrom pathlib import Path\n"
            "pins = Path(sys.argv[sys.argv.index('-r') + 1]).read_text().split()\n"
            "report = Path(sys.argv[sys.argv.index('--output') + 1])\n"
            f"print({LIES!r})\n{textwrap.dedent(code)}\n"
        )
        program.chmod(0o755)
        return str(program)

    return write


def test_a_pass_says_what_was_checked_and_when() -> None:
    assert advisories.advisories(CLEAN, PACKAGES) == []
    line = advisories.summary("requirements.txt", PACKAGES, [])
    assert line.startswith("Checked 2 packages of requirements.txt at 20")
    assert line.endswith(" UTC: 0 advisories.")


def test_an_advisory_names_the_package_and_the_version_that_fixes_it() -> None:
    known = entry("flask", "3.1.3", "PYSEC-1")
    known["vulns"][0]["fix_versions"] = ["3.1.4"]
    (found,) = advisories.advisories([known, *CLEAN[1:]], PACKAGES)
    assert str(found) == "flask 3.1.3: PYSEC-1 (fixed in 3.1.4)"
    assert advisories.summary("requirements.txt", PACKAGES, [found]).endswith(": 1 advisory.")


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ([], "2 of 2 packages could not be looked up"),
        (CLEAN[1:], r"1 of 2 packages could not be looked up \(flask\)"),
        ([SKIPPED, *CLEAN[1:]], r"1 of 2 packages could not be looked up \(flask\)"),
        ([entry("flask", "3.1.2"), *CLEAN[1:]], "1 of 2 packages could not be looked up"),
        (CLEAN[:2], "the source of advisories does not know that of requests 2.19.1"),
        ([*CLEAN[:2], entry(*advisories.CONTROL)], "does not know that of requests 2.19.1"),
    ],
    ids=[
        "nothing",
        "a package is not in it",
        "a package was skipped",
        "another version",
        "no control",
        "a source without advisories",
    ],
)
def test_an_incomplete_report_is_no_pass(report: list[Any], reason: str) -> None:
    with pytest.raises(SetupError, match=f"^NOT CHECKED for known vulnerabilities: .*{reason}"):
        advisories.advisories(report, PACKAGES)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no packages"),
        ("# flask==3.1.3\n", "has no packages"),
        ("flask>=3\n", "no version is pinned by the line 'flask>=3'"),
        ("flask==3.*\n", "no version is pinned"),
        ("flask @ https://example.org/flask.whl\n", "no version is pinned"),
        ("-r other.txt\n", "no version is pinned"),
        ("flask==3.1.3\nFlask==3.1.2 ; python_version < '3'\n", "flask is pinned to two versions"),
    ],
)
def test_a_requirements_file_that_cannot_be_checked_is_no_pass(text: str, reason: str) -> None:
    with pytest.raises(SetupError, match=reason):
        advisories.pinned(text)


def test_packages_of_other_platforms_and_with_extras_are_checked_too() -> None:
    text = "psycopg[binary]==3.3.7 \\\n    --hash=sha256:00\nWin_Thing==1.0 ; os_name == 'nt' \\\n"
    assert advisories.pinned(text) == {"psycopg": "3.3.7", "win-thing": "1.0"}
    assert len(advisories.pinned((ROOT / "requirements.txt").read_text())) > 20


def test_each_package_and_the_control_are_looked_up_with_an_empty_cache(
    auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_AUDIT_VULNERABILITY_SERVICE", "none")
    program = auditor("""
        assert not any(name.startswith("PIP_AUDIT") for name in os.environ)
        assert not Path(sys.argv[sys.argv.index("--cache-dir") + 1]).exists()
        found = [dict(zip(("name", "version"), pin.split("=="))) for pin in pins]
        report.write_text(json.dumps({"dependencies": found}))
    """)
    looked_up = [(each["name"], each["version"]) for each in advisories.look_up(program, PACKAGES)]
    assert looked_up == [*PACKAGES.items(), advisories.CONTROL]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "wrote no report, and ended with 0"),
        ("sys.exit(1)", "wrote no report, and ended with 1"),
        ("report.write_text('{')", "wrote no report"),
        ("report.write_text('[]')", "wrote no report"),
        ("report.write_text('{\"dependencies\": []}'); sys.exit(2)", "ended with 2"),
        ("time.sleep(60)", "did not end in 0.3 s"),
    ],
    ids=["silent", "failed", "half a report", "another format", "a crash at its end", "hangs"],
)
def test_an_auditor_that_fails_is_no_pass(auditor: Auditor, code: str, reason: str) -> None:
    patience = 0.3 if "sleep" in code else 60
    with pytest.raises(SetupError, match=f"^NOT CHECKED for known vulnerabilities: .*{reason}"):
        advisories.look_up(auditor(code), PACKAGES, patience)


def test_an_auditor_that_cannot_be_started_is_no_pass(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"^NOT CHECKED .* cannot be started"):
        advisories.look_up(str(tmp_path / "pip-audit"), PACKAGES)


KNOWS_THE_CONTROL = """
vulns = {"requests==2.19.1": [{"id": "PYSEC-2018-28"}], "flask==" + FLASK: KNOWN}
vulns = vulns if KNOWN is not None else {}
entries = [pin.split("==") + [vulns.get(pin, [])] for pin in pins]
found = [dict(zip(("name", "version", "vulns"), entry)) for entry in entries]
report.write_text(json.dumps({"dependencies": found}))
"""
CHECKED = r"Checked \d\d packages of requirements.txt at \S+ \S+ UTC: "


@pytest.mark.parametrize(
    ("case", "known", "code", "last_line"),
    [
        ("no advisories", "[]", 0, f"{CHECKED}0 advisories."),
        ("an advisory", "[{'id': 'PYSEC-1'}]", 1, f"{CHECKED}1 advisory."),
        ("an ignorant source", "None", 1, "NOT CHECKED .*: the source .* so it may know none."),
        ("no index", "[]", 1, "NOT CHECKED .*: pip failed."),
        ("--list", "[]", 0, "NOT CHECKED .*: the option --list was given."),
    ],
)
def test_the_last_line_and_the_exit_code_say_whether_all_was_checked(
    auditor: Auditor,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    case: str,
    known: str,
    code: int,
    last_line: str,
) -> None:
    flask = advisories.pinned((ROOT / "requirements.txt").read_text())["flask"]
    program = auditor(f"KNOWN, FLASK = {known}, {flask!r}\n{KNOWS_THE_CONTROL}")

    def call(*command: str) -> None:
        if "pip" in command and case == "no index":
            raise SetupError("pip failed.")
        if "venv" in command:
            folder = Path(command[-1], "bin")
            folder.mkdir()
            (folder / "pip-audit").symlink_to(program)

    monkeypatch.setattr(throwaway_venv, "call", call)
    options = ["--list"] if case == "--list" else []
    monkeypatch.setattr(sys, "argv", ["bin/audit", *options, str(tmp_path / "sbom.json")])
    try:
        result = runpy.run_path(str(ROOT / "bin" / "audit"))["main"]()
        last = capsys.readouterr().out.splitlines()[-1]
    except SetupError as error:  # printed, with exit code 1
        result, last = 1, str(error)
    assert (result, bool(re.fullmatch(last_line, last))) == (code, True), last
