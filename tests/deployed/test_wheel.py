"""Tests the packages that pip installs: their files, and apps in other folders that use them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from clever_simulator.config import default_config
from tests.support import running_app
from tests.support.browser_client import send_request
from tests.support.login_flows import by_button, log_in_at_clever
from tests.support.running_app import ROOT, Site
from tests.support.simulators import run_in_background
from tools.gate import features

pytestmark = pytest.mark.servers

SOURCES = {"clever_login": ROOT, "clever_simulator": ROOT / "clever_simulator"}
OF_THE_EXTRAS = ("alembic", "gunicorn", "psycopg", "redis", "sqlalchemy", "waitress")
# Python runs this at startup. It hides packages, as if pip had not installed them.
HIDE = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in {names}:
            return super().find_spec(name, path, target)

sys.meta_path[:] = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
"""
Wheels = dict[str, Path]


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command that must succeed, and return its output."""
    result = subprocess.run(
        [*map(str, command)], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """Both packages, built without network from a copy of their sources."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist")
    run(*build, cwd=folder)
    run(*build, cwd=folder / "clever_simulator")
    return {path.name.partition("-")[0]: path for path in (folder / "dist").glob("*.whl")}


def make_environment(folder: Path, wheels: Wheels, hidden: tuple[str, ...] = ()) -> Path:
    """Install the wheels beside the packages of the tests. Returns the environment's Python."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=ROOT)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "of_the_tests.pth").write_text(sysconfig.get_path("purelib"))
    (packages / "sitecustomize.py").write_text(HIDE.format(names=set(hidden)) if hidden else "")
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index")
    run(*pip, "-q", *wheels.values(), cwd=folder)
    return python


@pytest.fixture(scope="module")
def core_python(wheels: Wheels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without any extra."""
    return make_environment(tmp_path_factory.mktemp("core") / "venv", wheels, OF_THE_EXTRAS)


@pytest.fixture(scope="module")
def full_python(wheels: Wheels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with all extras."""
    return make_environment(tmp_path_factory.mktemp("full") / "venv", wheels)


@contextmanager
def run_app(python: Path, folder: Path, name: str, prefix: str) -> Iterator[Site]:
    """Run an app of a folder with an environment's Python, and a simulator that knows it."""
    port = running_app.free_port()
    url = f"http://localhost:{port}"
    with run_in_background() as clever:
        config = default_config(url, "v3.0")
        uris = (f"{url}{prefix}/oauth/callback",)
        clever.configure(
            replace(config, apps=tuple(replace(app, redirect_uris=uris) for app in config.apps))
        )
        settings = running_app.settings_for(url, clever.url, folder / "instance")
        variables = running_app.environment_variables(settings, port)
        command = [str(python), "-m", "flask", "--app", name, "run", "--port", str(port)]
        with running_app.run_process(command, variables, folder / "log", cwd=folder) as child:
            running_app.wait_until_answers(f"{url}/healthz", child)
            yield Site(url, clever, settings)


def write_documented_app(folder: Path) -> None:
    """Write the first app of docs/library.md, which is outside of this project."""
    page = (ROOT / "docs" / "library.md").read_text()
    (folder / "small.py").write_text(re.findall(r"```python\n(.*?)```", page, re.S)[0])


def log_in_to_documented_app(python: Path, folder: Path) -> str:
    write_documented_app(folder)
    with run_app(python, folder, "small", "/clever") as site:
        visitor = site.visitor().open("/")  # which leads to Clever
        visitor.click(site.person("student").district.name)
        return log_in_at_clever(visitor, "student").response.text


@pytest.mark.parametrize("package", SOURCES)
def test_a_wheel_has_the_files_of_its_package_and_nothing_else(
    wheels: Wheels, package: str
) -> None:
    with zipfile.ZipFile(wheels[package]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    paths = (ROOT / package).rglob("*")
    files = {str(path.relative_to(ROOT)) for path in paths if path.is_file()}
    outside = {f"clever_simulator/{name}" for name in ("README.md", "pyproject.toml")}
    assert names == {name for name in files - outside if "__pycache__" not in name}


def test_an_app_without_any_extra_logs_a_student_in(core_python: Path, tmp_path: Path) -> None:
    assert log_in_to_documented_app(core_python, tmp_path) == "Hello Ada"


@pytest.mark.parametrize(("database_url", "exit_code"), [("", 0), ("postgresql://x/y", 1)])
def test_the_doctor_works_without_any_extra(
    core_python: Path, tmp_path: Path, database_url: str, exit_code: int
) -> None:
    settings = running_app.settings_for("http://localhost:3000", "http://127.0.0.1:9", tmp_path)
    variables = running_app.environment_variables(settings, 3000)
    result = subprocess.run(
        [core_python, "-m", "clever_login.doctor", "--offline"],
        cwd=tmp_path,
        env=variables | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == exit_code, result.stdout + result.stderr
    assert "The check itself failed" not in result.stdout
    assert ('pip install "clever-login[rosters]"' in result.stdout) == bool(exit_code)


@pytest.mark.parametrize(
    ("code", "extra", "feature"),
    [
        ("parts.Accounts()", "rosters", "parts.Accounts"),
        ("parts.Rosters()", "rosters", "parts.Rosters"),
        ("parts.Languages()", "redis", "REDIS_URL"),
    ],
)
def test_a_feature_whose_packages_are_missing_names_the_extra(
    core_python: Path, tmp_path: Path, code: str, extra: str, feature: str
) -> None:
    program = f"""if True:
        from clever_login import CleverLogin, Settings, parts
        CleverLogin(parts=[{code}, parts.Sessions(), parts.ErrorPages()])
        Settings.load_or_exit()
    """
    result = subprocess.run(
        [core_python, "-c", program],
        cwd=tmp_path,
        env={"REDIS_URL": "redis://localhost"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert f"{feature} needs packages that are not installed" in result.stderr
    assert f'pip install "clever-login[{extra}]"' in result.stderr


def test_the_starter_runs_on_the_installed_library(full_python: Path, tmp_path: Path) -> None:
    for module in (path for path in ROOT.glob("*.py") if path.stem.isidentifier()):
        shutil.copy(module, tmp_path)
    for name in ("templates", "static", "translations", *features()):
        shutil.copytree(ROOT / name, tmp_path / name)
    with run_app(full_python, tmp_path, "app", "") as site:
        assert by_button(site, "student").heading == "Hi, Ada!"
        assert send_request(f"{site.url}/readyz").status_code == 200
        spanish = site.visitor().open("/logged-out", **{"Accept-Language": "es"})
        assert spanish.heading == "Se cerró tu sesión"
    broken = tmp_path / "translations" / "es" / "LC_MESSAGES" / "messages.po"
    broken.write_text("no line of such a file")
    doctor = subprocess.run(
        [full_python, "-m", "clever_login.doctor", "--offline"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "translations/es/LC_MESSAGES/messages.po cannot be read" in doctor.stdout
    assert "clever_login/translations" not in doctor.stdout


def test_the_installed_simulator_starts(core_python: Path, tmp_path: Path) -> None:
    port = running_app.free_port()
    command = [str(core_python), "-m", "clever_simulator", "--port", str(port)]
    with running_app.run_process(command, {}, tmp_path / "log", cwd=tmp_path) as child:
        running_app.wait_until_answers(f"http://127.0.0.1:{port}/", child)
        assert "Harrow Creek" in send_request(f"http://127.0.0.1:{port}/").text


@pytest.mark.long
def test_pip_installs_the_package_with_its_dependencies(tmp_path: Path) -> None:
    """Pip builds from a copy of this folder, and downloads what it needs."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "clever_login", folder / "clever_login", ignore=ignored)
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", folder, cwd=tmp_path)
    app = tmp_path / "app"
    app.mkdir()
    assert log_in_to_documented_app(python, app) == "Hello Ada"
    absent = "import importlib.util as u; print([n for n in {} if u.find_spec(n)])"
    assert run(python, "-c", absent.format(OF_THE_EXTRAS), cwd=app) == "[]\n"
    requirement = f"{folder}[rosters,redis,server]"
    run(python, "-m", "pip", "install", "-q", requirement, cwd=tmp_path)
    assert run(python, "-c", absent.format(OF_THE_EXTRAS), cwd=app) == f"{[*OF_THE_EXTRAS]}\n"
    run(python, "-m", "pip", "check", cwd=tmp_path)


def test_the_simulator_is_a_command_for_apps_in_any_language(
    full_python: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    app = "mine:my-secret:secure_sync+events:http://localhost:8080/callback"
    command = [str(full_python.parent / "clever-simulator"), "--port", "0", "--app", app]
    with running_app.run_process(command, {}, log, cwd=tmp_path) as child:
        while not (ready := re.search(r"ready at (\S+)", log.read_text())):
            assert child.poll() is None, log.read_text()
            time.sleep(0.02)
        url = f"{ready[1]}/oauth/tokens?owner_type=district"
        assert len(send_request(url, auth=("mine", "my-secret")).json()["data"]) == 3


def test_the_documented_fixture_is_available_in_the_tests_of_any_project(
    full_python: Path, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "simulator.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.S)
    (options,) = re.findall(r"```toml\n(.*?)```", page, re.S)
    (tmp_path / "pyproject.toml").write_text(options)
    (tmp_path / "test_login.py").write_text(example)
    output = run(full_python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert "1 passed" in output
