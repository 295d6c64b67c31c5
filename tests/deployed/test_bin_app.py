"""Tests bin/app, which runs the commands of a product with the variables of bin/dev."""

from __future__ import annotations

from pathlib import Path

import pytest

from clever_simulator.directory import sample_districts
from tests.deployed.test_bin_clever import dotenv, run
from tests.support import fresh_checkout
from tests.support.fresh_checkout import Dev
from tests.support.running_app import ROOT

pytestmark = pytest.mark.servers

RECIPE = (ROOT / "examples" / "recipes" / "roster_job.py").read_text()
DISTRICT_ID = sample_districts.build_directory().person("student").district.id
LAST_LINES = "    add_pages(app)\n    return app\n"
WITH_RECIPE = f"    import roster_job\n\n    roster_job.init_app(app)\n{LAST_LINES}"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with a command of its own, in which bin/dev was never started."""
    copy = fresh_checkout.installed_copy(tmp_path_factory.mktemp("fresh"))
    (copy / "roster_job.py").write_text(RECIPE)
    app = copy / "app.py"
    app.write_text(app.read_text().replace(LAST_LINES, WITH_RECIPE))
    return copy


def test_a_command_of_the_product_uses_the_database_of_bin_dev(dev: Dev, tmp_path: Path) -> None:
    with (
        dev.added("roster_job.py", RECIPE),
        dev.edited("app.py", LAST_LINES, WITH_RECIPE),
    ):
        assert run(dev.copy, "clever", "sync").returncode == 0
        result = run(dev.copy, "app", "export-classes", DISTRICT_ID, str(tmp_path / "file.csv"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith(" classes\n")
    assert (tmp_path / "file.csv").read_text().startswith("school,class,")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("export-classes", "--help")])
def test_help_lists_the_commands_of_the_product_whatever_env_says(
    fresh: Path, arguments: tuple[str, ...]
) -> None:
    with dotenv(fresh, "no variable at all\n"):
        result = run(fresh, "app", *arguments, SESSION_IDLE_MINUTES="soon")
    assert result.stdout.startswith("Usage: bin/app ")
    assert "Write the classes of each school." in result.stdout
    assert (result.returncode, result.stderr) == (0, "")


def test_a_command_that_does_not_call_clever_needs_no_running_bin_dev(fresh: Path) -> None:
    result = run(fresh, "app", "routes")
    assert result.returncode == 0, result.stderr
    assert "/dashboard" in result.stdout


def test_the_exit_code_of_a_command_is_passed_on(fresh: Path, tmp_path: Path) -> None:
    assert run(fresh, "app", "no-such-command").returncode == 2
    result = run(fresh, "app", "export-classes", "nowhere", str(tmp_path / "file.csv"))
    assert (result.returncode, result.stderr) == (
        1,
        "Error: There is no such district. Was it synced?\n",
    )
