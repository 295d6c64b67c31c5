"""Syncs a district through a school year, August to August, without events from Clever."""

from __future__ import annotations

import pytest

from clever_simulator.directory.models import District
from tests.conftest import SiteMaker
from tests.support.account_app import make_account_app
from tests.support.expected_rows import (
    ExpectedRows,
    assert_rows_equal,
    database_engine,
    give_first_sync,
    let_time_pass,
    switch_off_events,
    sync_site,
)
from tests.support.running_app import Site

DAY_SECONDS = 24 * 60 * 60


class Year:
    """A district without events, which the scheduler syncs every night."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.clever = site.clever

    @property
    def district(self) -> District:
        return self.clever.people.districts[0]

    def night(self, *, days: int = 1, code: int = 0) -> str:
        """Let days pass, sync the district, and return the output."""
        self.clever.advance(days * DAY_SECONDS)
        let_time_pass(self.site, days=days, minutes=5)
        result = sync_site(self.site, "--district", self.district.id)
        assert result.exit_code == code, result.output
        return result.stdout

    def step(self, name: str) -> None:
        self.clever.make_step(name, district=self.district.id)

    def assert_as_at_clever(self) -> None:
        version = self.site.settings.clever_api_version
        truth = ExpectedRows(self.clever, self.district, version)
        assert_rows_equal(truth, database_engine(self.site))


@pytest.mark.parametrize(
    "version",
    [
        pytest.param("v2.1", marks=pytest.mark.long),
        "v3.0",
        pytest.param("v3.1", marks=pytest.mark.long),
    ],
)
def test_after_a_year_without_events_the_database_equals_clever_row_by_row(
    make_site: SiteMaker, database_url: str | None, version: str
) -> None:
    site = make_account_app(make_site, database_url, clever_api_version=version)
    give_first_sync(site)
    switch_off_events(site)
    year = Year(site)
    # August and September: late joiners, a new name, another teacher.
    for step in ("new_teacher", "new_school"):
        year.step(step)
        assert "full read." in year.night()
        year.assert_as_at_clever()
    year.clever.change_roster("name", "student", last="Adler")
    assert "people: 1 changed" in year.night(days=30)
    # October: a student moves away. One night hides the student, the next one archives.
    year.clever.change_roster("unshared", "student2")
    year.clever.change_roster("unshared", "talia.thompson")
    assert "people: 1 hidden" in year.night(days=20)
    year.assert_as_at_clever()
    assert "people: 1 archived" in year.night()
    # November: on a bad morning the lists are empty. Nobody is removed, and the next night is good.
    for name in ("users" if version != "v2.1" else "students", "sections"):
        year.clever.add_fault("data", path=f"/{name}", rows=0, times=0)
    assert "on hold" in year.night(days=20, code=3)
    year.assert_as_at_clever()
    year.clever.clear_faults()
    assert "on hold" not in year.night()
    year.assert_as_at_clever()
    # January: every class is replaced. The student comes back.
    year.step("semester")
    year.clever.change_roster("back", "talia.thompson")
    output = year.night(days=45)
    assert "sections: 16 new, 16 archived" in output
    assert "people: 1 restored" in output
    year.assert_as_at_clever()
    # June: the district pauses, and stops sharing a student during the pause.
    year.step("pause")
    assert "The district is paused in Clever" in year.night(days=140)
    year.clever.change_roster("unshared", "talia.thompson")
    year.night(days=20)
    year.night()
    year.assert_as_at_clever()
    # August: a new school year.
    year.step("unpause")
    year.step("rollover")
    year.night(days=60)
    year.night()
    year.assert_as_at_clever()
    assert "nothing changed" in year.night()
