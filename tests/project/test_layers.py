"""Tests the layers of ARCHITECTURE.md, and the number of modules per folder."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.support.running_app import ROOT

MAX_MODULES = {"clever_login": 10}
MAX_MODULES_ELSEWHERE = 14


def test_no_module_imports_a_module_of_a_higher_layer() -> None:
    command = [sys.executable, "-m", "tools.import_layers"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_architecture_md_describes_each_package_and_module_once() -> None:
    rows = re.findall(r"^\| `(clever_\w+\.\w+)` \|", (ROOT / "ARCHITECTURE.md").read_text(), re.M)
    parts = {
        f"{folder.name}.{path.stem}"
        for folder in (ROOT / "clever_login", ROOT / "clever_simulator")
        for path in [*folder.glob("*.py"), *(path.parent for path in folder.glob("*/__init__.py"))]
    }
    assert sorted(rows) == sorted(
        part for part in parts if not part.rpartition(".")[2].startswith("__")
    )


def test_no_folder_has_too_many_modules() -> None:
    for name in ("clever_login", "clever_simulator", "bench"):
        for folder in {path.parent for path in (ROOT / name).rglob("*.py")}:
            limit = MAX_MODULES.get(str(folder.relative_to(ROOT)), MAX_MODULES_ELSEWHERE)
            modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
            assert len(modules) <= limit, folder
