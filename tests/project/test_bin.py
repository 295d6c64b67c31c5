"""Tests bin/dev and bin/test before they start anything: old Python versions, invalid ports."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running_app import ROOT

SCRIPTS = sorted(path for path in (ROOT / "bin").iterdir() if path.is_file())
AS_AN_OLD_PYTHON = """
import runpy, sys
sys.version_info = (3, 8, 18)
sys.argv = [{script!r}]
runpy.run_path({script!r}, run_name="__main__")
"""


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def assert_one_sentence(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_parses_on_python_3_8(script: Path) -> None:
    ast.parse(script.read_text(), feature_version=(3, 8))


SCRIPT_NAMES = ["audit", "dev", "lock", "release", "screenshots", "test", "translate"]


@pytest.mark.parametrize("name", SCRIPT_NAMES)
def test_help_of_a_script_prints_what_it_does_and_does_nothing_else(name: str) -> None:
    script = ROOT / "bin" / name
    purpose = (ast.get_docstring(ast.parse(script.read_text())) or "").split()[:6]
    result = run(sys.executable, str(script), "--help", PATH=os.environ["PATH"])
    assert (result.returncode, result.stderr) == (0, "")
    assert " ".join(purpose) in " ".join(result.stdout.split())


@pytest.mark.parametrize("name", ["dev", "test"])
def test_an_old_python_without_a_newer_one_prints_what_to_do(name: str, tmp_path: Path) -> None:
    code = AS_AN_OLD_PYTHON.format(script=str(ROOT / "bin" / name))
    result = run(sys.executable, "-c", code, PATH=str(tmp_path))
    assert_one_sentence(result, "needs Python 3.11 or newer", f"bin/{name}")


def test_a_script_started_by_an_old_python_runs_with_a_newer_one_on_the_path(
    tmp_path: Path,
) -> None:
    (tmp_path / "python3.11").symlink_to(sys.executable)
    code = AS_AN_OLD_PYTHON.format(script=str(ROOT / "bin" / "dev"))
    code = code.replace("']", "', '--help']", 1)
    result = run(sys.executable, "-c", code, PATH=str(tmp_path))
    assert result.returncode == 0
    assert "Ctrl-C stops" in result.stdout


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"PORT": "x"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
        ({"SIMULATOR_PORT": "-1"}, "SIMULATOR_PORT"),
    ],
)
def test_an_invalid_port_is_reported_before_anything_starts(
    environ: dict[str, str], word: str, copy: Path
) -> None:
    path = os.environ["PATH"]
    result = run(sys.executable, str(copy / "bin" / "dev"), PATH=path, **environ)
    assert_one_sentence(result, word)


def test_bin_help_has_one_line_for_each_command() -> None:
    lines = run(sys.executable, str(ROOT / "bin" / "help")).stdout.splitlines()
    described = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("bin/")}
    assert described.keys() >= {f"bin/{script.name}" for script in SCRIPTS}
    assert all(described.values())
