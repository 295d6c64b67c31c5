"""Tests the code's structure, and that the documents about it are accurate."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

from flask import Flask

from clever_login.config import Settings
from tests.conftest import SiteMaker
from tests.support.login_flows import by_button
from tests.support.running_app import ROOT
from tests.support.starter import make_starter


def modules() -> dict[str, Path]:
    folder = ROOT / "clever_login"
    paths = {
        ".".join(path.relative_to(folder).with_suffix("").parts): path
        for path in folder.rglob("*.py")
    }
    return {
        name: path
        for name, path in paths.items()
        if not name.endswith("__init__") and "migrations.versions" not in name
    }


def imports(path: Path) -> set[str]:
    """Return the full names of everything that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{name.name}" for name in node.names} | {node.module}
    return names


def test_only_the_clever_package_imports_authlib_and_requests() -> None:
    for name, path in modules().items():
        packages = {name.partition(".")[0] for name in imports(path)}
        assert ("authlib" in packages) == (name in {"clever.oauth", "clever.oidc"}), name
        assert "requests" not in packages or name.startswith("clever."), name


def test_the_library_and_the_simulator_never_import_each_other() -> None:
    for path in (ROOT / "clever_login").rglob("*.py"):
        assert "simulator" not in path.read_text().lower(), path
    for path in (ROOT / "clever_simulator").rglob("*.py"):
        assert "clever_login" not in path.read_text(), path


def test_only_the_tests_in_tests_app_import_the_starter() -> None:
    for path in {*(ROOT / "tests").rglob("*.py")} - {*(ROOT / "tests" / "app").rglob("*.py")}:
        assert not {"app", "dashboard"} & imports(path), path


def test_no_function_is_longer_than_35_lines() -> None:
    for folder in ("clever_login", "clever_simulator"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.parent.name == "versions":
                continue  # a migration is a list of tables
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and node.end_lineno:
                    assert node.end_lineno - node.lineno < 36, f"{path}: {node.name}"


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    source = (ROOT / "clever_login" / "config.py").read_text()
    read = set(re.findall(r'reader\.\w+\(\s*"([A-Z_]+)"', source))
    sample = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert read == sample
    undocumented = {"SIMULATOR_PORT", "WEB_CONCURRENCY"}
    page = (ROOT / "docs" / "settings.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.M)) == read | undocumented
    recipes = "".join(path.read_text() for path in (ROOT / "examples/recipes").glob("*.py"))
    known = read | undocumented | set(re.findall(r'"([A-Z]+_[A-Z_]+)"', recipes))
    code = "".join(path.read_text() for path in (ROOT / "clever_login").rglob("*.py"))
    known |= set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", code))  # constants
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for name in re.findall(r"`([A-Z]+_[A-Z_]+)`", path.read_text()):
            assert name in known, f"{path.name}: {name}"


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as code hosts generate them."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


def test_every_link_and_anchor_in_the_docs_has_a_target() -> None:
    folders = (ROOT, ROOT / "docs", ROOT / "clever_simulator", ROOT / "examples" / "existing_app")
    for path in [path for folder in folders for path in folder.glob("*.md")]:
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
            target, _, anchor = link.partition("#")
            if "://" not in link:
                file = path.parent / target if target else path
                assert file.exists(), f"{path.name}: {link}"
                assert not anchor or anchor in anchors(file), f"{path.name}: {link}"


def python_blocks(path: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", path.read_text(), re.S)


def modules_in_the_documents() -> dict[str, list[str]]:
    """Return the complete modules in docs/ by page. A block with a module docstring is one."""
    return {
        path.name: [block for block in python_blocks(path) if block.startswith('"""')]
        for path in (ROOT / "docs").glob("*.md")
    }


def test_the_code_in_the_docs_behaves_as_described(make_site: SiteMaker, tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    modules = modules_in_the_documents()
    blocks = [modules["accounts.md"][0], *modules["make-it-yours.md"], *modules["rosters.md"]]
    for number, block in enumerate(blocks):
        file = tmp_path / f"block_{number}.py"
        file.write_text(block)
        names |= runpy.run_path(str(file))

    def make_app(settings: Settings) -> Flask:
        app = make_starter(settings, on_login=names["on_login"])
        if "books" not in app.blueprints:  # a product's app may have added the example unchanged
            names["init_app"](app)
        return app

    site = make_site(make_app=make_app)
    assert site.visitor().open("/books").path == "/"
    visitor = by_button(site, "student").open("/books")
    assert visitor.response.text == "Books for Ada"
    assert by_button(site, "district_admin").code == "account_refused"


def test_the_code_in_the_docs_passes_ruff_and_mypy(tmp_path: Path) -> None:
    blocks = [block for blocks in modules_in_the_documents().values() for block in blocks]
    assert len(blocks) > 3
    # Flask-Login is untyped. The library's ignores of the same error are then unused.
    options = "# mypy: disallow-subclassing-any=False, warn-unused-ignores=False"
    for number, block in enumerate(blocks):
        (tmp_path / f"block_{number}.py").write_text(f"{block}\n{options}\n")
    style = ["ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--ignore", "I,S101"]
    types = ["mypy"]  # with the options of bin/test, and so with its cache
    for tool in (style, types):
        command = [sys.executable, "-m", *tool, str(tmp_path)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def test_the_code_in_the_simulators_readme_runs() -> None:
    for block in python_blocks(ROOT / "clever_simulator" / "README.md"):
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102


def test_the_commands_in_the_docs_exist() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "\n".join(path.read_text() for path in documents)
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    for command in re.findall(r"^(bin/\w+)", "\n".join(blocks), re.M):
        assert (ROOT / command).stat().st_mode & 0o111, command


def names_of_tests() -> set[str]:
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    return set(re.findall(r"^def (test_\w+)", sources, re.M))


def test_the_assurance_doc_names_every_requirement_and_only_existing_tests() -> None:
    text = (ROOT / "docs" / "assurance.md").read_text()
    rows = {int(number) for number in re.findall(r"^\| R(\d+) \|", text, re.M)}
    scope = [*range(1, 73), *range(74, 78), *range(81, 86), *range(89, 93), *range(95, 105)]
    assert rows == {*scope, 106, 107, 109, 111}
    assert set(re.findall(r"\btest_\w+", text)) <= names_of_tests()


def test_no_test_in_the_assurance_doc_runs_only_in_the_longest_tier() -> None:
    only_long = re.compile(r"^@pytest\.mark\.long\n(?:@.*\n|\)\n| .*\n)*def (test_\w+)", re.M)
    sources = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    long = {name for source in sources for name in only_long.findall(source)}
    assert "test_comparing_a_commit_with_itself_shows_no_difference" in long
    assert not long & set(re.findall(r"\btest_\w+", (ROOT / "docs" / "assurance.md").read_text()))


CRITICAL = (
    "1 2 3 5 6 11 12 20 21 23 24 25 28 33 37 38 39 40 41 42 43 45 46 47 48 52 63 64 65 67 81 82"
    " 89 90"
)


KNOWN_BUG, KNOWN_BUGS = "known bug of other Clever clients", 26


def test_every_critical_requirement_and_known_bug_of_other_clients_has_a_mutant() -> None:
    heads = [path.read_text().split("\n\n")[0] for path in (ROOT / "tests" / "mutants").glob("*")]
    broken = "\n".join(heads)
    assert {int(part) for part in CRITICAL.split()} <= {
        int(number) for number in re.findall(r"\bR(\d+)", broken)
    }
    assert broken.count(KNOWN_BUG) >= KNOWN_BUGS
    for head in heads:
        file, test = re.findall(r"^Test: (\S+?)::(\w+)", head, re.MULTILINE)[0]
        is_deleted = not (ROOT / file.partition("/")[0]).is_dir()  # such as the example feature
        assert is_deleted or f"def {test}(" in (ROOT / file).read_text()


def test_no_conftest_needs_the_simulator_which_a_product_may_delete() -> None:
    """Pytest cannot skip a folder whose conftest.py fails."""
    for file in (ROOT / "tests").rglob("conftest.py"):
        for statement in ast.parse(file.read_text()).body:
            if isinstance(statement, ast.ImportFrom):
                module = str(statement.module)
                assert not module.startswith(("tests.support", "clever_simulator")), file
