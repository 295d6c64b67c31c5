"""Tests that only the user who runs the app can read the files under instance/."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SiteMaker
from tests.doctor.test_doctor import PRODUCTION, installed, run
from tests.doctor.test_doctor import Report as DoctorReport
from tests.support.login_flows import by_button

__all__ = ["installed"]
DATABASE = "school.sqlite3"


@pytest.fixture(params=[0o000, 0o022, 0o277], ids=["umask 000", "umask 022", "umask 277"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of a folder and of everything in it, by path."""
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in paths}


def files_in_log(text: str) -> dict[str, set[str]]:
    """Return the file names in the log, by event."""
    files_by_event: dict[str, set[str]] = {}
    for line in (json.loads(line) for line in text.splitlines() if line.startswith("{")):
        files_by_event.setdefault(line["event"], set()).add(line.get("file", ""))
    return files_by_event


@pytest.mark.usefixtures("umask")
def test_after_a_login_only_the_owner_has_permissions_on_the_apps_files(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    instance = tmp_path / "data" / "instance"
    site = make_site(instance_path=str(instance))
    assert by_button(site, "student").path == "/dashboard"
    permissions = modes(instance)
    files = {name: mode for name, mode in permissions.items() if (instance / name).is_file()}
    folders = {name: mode for name, mode in permissions.items() if name not in files}
    assert DATABASE in files
    assert "store/sessions.sqlite3" in files
    assert set(files.values()) == {0o600}, files
    assert folders == {".": 0o700, "store": 0o700}
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


class OpenRecorder:
    """Records the permissions of each SQLite file just before SQLite opens it."""

    def __init__(self) -> None:
        self.on, self.modes = True, set[int | None]()
        sys.addaudithook(self._note)  # cannot be removed, only switched off

    def _note(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.on and event == "sqlite3.connect":
            path = Path(str(arguments[0]))
            self.modes.add(path.stat().st_mode & 0o777 if path.exists() else None)


@pytest.mark.usefixtures("umask")
def test_the_database_file_is_private_before_sqlite_opens_it(make_site: SiteMaker) -> None:
    site = make_site(tables=False)
    opened = OpenRecorder()
    try:
        by_button(site, "student")
    finally:
        opened.on = False
    assert opened.modes == {0o600}


def widen_permissions(instance: Path) -> None:
    """Set the permissions that the usual umask gives."""
    for path in (instance, *instance.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_wider_permissions_are_corrected_at_start_and_logged(
    make_site: SiteMaker, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    instance = tmp_path / "instance"
    by_button(make_site(instance_path=str(instance)), "student")
    for end in ("-wal", "-shm", "-journal"):  # as left by a process that was killed
        (instance / f"{DATABASE}{end}").touch()
    (instance / "dev-secret-key").touch()
    widen_permissions(instance)
    capfd.readouterr()
    make_site(instance_path=str(instance))
    permissions = modes(instance)
    assert [permissions[name] for name in (".", "store")] == [0o700] * 2
    assert [permissions[f"{DATABASE}{end}"] for end in ("", "-wal", "-shm", "-journal")] == [
        0o600
    ] * 4
    assert permissions["dev-secret-key"] == 0o600
    files = ("dev-secret-key", *(f"{DATABASE}{end}" for end in ("", "-wal", "-shm", "-journal")))
    names = {"instance", "store", *files}
    assert files_in_log(capfd.readouterr().err)["permissions_corrected"] == names
    make_site(instance_path=str(instance))
    assert "permissions_corrected" not in files_in_log(capfd.readouterr().err)


def test_a_database_in_another_folder_is_private_and_the_folder_is_unchanged(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    instance, disk = tmp_path / "instance", tmp_path / "disk"
    disk.mkdir()
    instance.mkdir()
    (instance / DATABASE).symlink_to(disk / DATABASE)
    by_button(make_site(instance_path=str(instance)), "student")
    assert modes(disk)[DATABASE] == 0o600
    widen_permissions(disk)
    make_site(instance_path=str(instance))
    permissions = modes(disk)
    assert permissions.pop(".") == 0o755
    assert set(permissions.values()) == {0o600}


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("place", ["relative", "absolute"])
def test_the_sqlite_file_of_a_database_url_is_as_private_as_the_default_one(
    make_site: SiteMaker, tmp_path: Path, place: str
) -> None:
    instance, disk = tmp_path / "instance", tmp_path / "disk"
    file = disk / "shared.sqlite3" if place == "absolute" else instance / "shared.sqlite3"
    url = f"sqlite:///{file if place == 'absolute' else file.name}"
    site = make_site(instance_path=str(instance), database_url=url)
    assert by_button(site, "student").path == "/dashboard"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert not (instance / DATABASE).exists()
    file.chmod(0o644)
    make_site(instance_path=str(instance), database_url=url)
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_doctor_checks_the_sqlite_file_of_a_database_url(installed: Path) -> None:
    (installed / "instance").mkdir(0o700, parents=True)
    file = installed / "instance" / "shared.sqlite3"
    file.touch(0o644)
    environ = PRODUCTION | {"DATABASE_URL": "sqlite:///shared.sqlite3"}
    result = run(installed, environ, "-m", "clever_login.doctor", "--offline", "--json")
    report = DoctorReport(result.stdout, result.returncode)
    report.assert_finding("file permissions", "fault", "permissions on shared.sqlite3:")
    report.assert_finding("database", "ok", "stored in a SQLite file")


def test_the_doctor_reports_wider_permissions_until_they_are_corrected(installed: Path) -> None:
    instance = installed / "instance"
    (instance / "store").mkdir(parents=True)
    (instance / DATABASE).touch()
    widen_permissions(instance)

    def run_installed_doctor() -> DoctorReport:
        result = run(installed, PRODUCTION, "-m", "clever_login.doctor", "--offline", "--json")
        return DoctorReport(result.stdout, result.returncode)

    run_installed_doctor().assert_finding(
        "file permissions", "fault", f"instance, store, {DATABASE}", "chmod -R go-rwx"
    )
    for path in (instance, instance / "store", instance / DATABASE):
        path.chmod(path.stat().st_mode & 0o700)
    run_installed_doctor().assert_finding("file permissions", "ok", "cannot read")
