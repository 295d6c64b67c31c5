"""Tests the roster pages in a real browser: in print, and in every color scheme."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import delete

from clever_login.db.history.sync_runs import LOCK_NAME
from clever_login.db.models import Enrollment, SyncLock, SyncRun, utc_now
from tests.support.chromium import run_chromium
from tests.support.login_flows import by_button
from tests.support.roster_fixtures import (
    STUDENT,
    add_person,
    database_session,
    run_roster_site,
    write_roster,
)
from tests.support.running_app import Site

pytestmark = pytest.mark.browser
STUDENTS = 62
# The contrast ratio of two colors, as WCAG 2 defines it.
CONTRAST = r"""
bar => {
  const light = color => {
    const [r, g, b] = color.match(/[\d.]+/g).slice(0, 3).map(channel => channel / 255)
      .map(channel => channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const colors = [getComputedStyle(bar).fill,
    getComputedStyle(bar.closest(".plot")).backgroundColor];
  const [more, less] = colors.map(light).sort((a, b) => b - a);
  return (more + 0.05) / (less + 0.05);
}
"""


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with run_roster_site(tmp_path_factory.mktemp("school"), None) as site:
        write_roster(site)
        with database_session(site) as session:
            for number in range(STUDENTS - 2):
                student = add_person(session, f"One{number}", f"one{number}", "a", [STUDENT], "a1")
                student.grade = str(number % 12 + 1)
                session.add(
                    Enrollment(section_id="section-own", person_id=student.id, role=STUDENT)
                )
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as started:
        yield started


@contextmanager
def page_of(browser: Browser, site: Site, user_name: str, **choices: str | bool) -> Iterator[Page]:
    """Yield a page in the browser of a logged-in user."""
    cookies = by_button(site, user_name).http.cookies
    context = browser.new_context(**choices)  # type: ignore[arg-type] # color options, by name
    context.add_cookies(
        [{"name": cookie.name, "value": cookie.value or "", "url": site.url} for cookie in cookies]
    )
    yield context.new_page()
    context.close()


def test_a_printed_class_list_has_every_student_and_no_buttons(
    school: Site, browser: Browser
) -> None:
    with page_of(browser, school, "teacher") as page:
        page.goto(f"{school.url}/classes/section-own")
        page.get_by_role("link", name="Whole list, to print").click()
        expect(page.locator("tbody tr")).to_have_count(STUDENTS)
        expect(page.get_by_role("link", name="Home")).to_be_visible()
        page.emulate_media(media="print")
        expect(page.get_by_role("heading", name="CanaryClassown")).to_be_visible()
        expect(page.locator("tbody tr").last).to_be_visible()
        expect(page.get_by_text("Last synced with Clever")).to_be_visible()
        for control in page.locator("button, nav a, main a").all():
            expect(control).to_be_hidden()


@pytest.mark.parametrize("forced", ["none", "active"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_grade_chart_is_visible_in_every_color_scheme_and_in_print(
    school: Site, browser: Browser, scheme: str, forced: str
) -> None:
    colors = {"color_scheme": scheme, "forced_colors": forced}
    with page_of(browser, school, "district_admin", **colors) as page:
        page.goto(f"{school.url}/district")
        expect(page.locator(".plot .bar")).to_have_count(12)
        for medium in ("screen", "print"):
            page.emulate_media(media=medium)
            for bar in page.locator(".plot .bar").all():
                assert bar.evaluate(CONTRAST) >= 3, medium


@pytest.mark.parametrize("width", [320, 1280])
def test_the_labels_of_the_grade_chart_stay_inside_it(
    school: Site, browser: Browser, width: int
) -> None:
    with page_of(browser, school, "district_admin") as page:
        page.set_viewport_size({"width": width, "height": 700})
        page.goto(f"{school.url}/district")
        box = page.locator(".plot").bounding_box()
        assert box
        for word in page.locator(".plot text").all():
            label_box = word.bounding_box()
            assert label_box
            assert label_box["x"] >= box["x"]
            assert label_box["x"] + label_box["width"] <= box["x"] + box["width"]


def test_a_long_list_can_be_paged_by_keyboard(school: Site, browser: Browser) -> None:
    with page_of(browser, school, "teacher") as page:
        page.goto(f"{school.url}/classes/section-own")
        page.get_by_role("link", name="Page 2").focus()
        page.keyboard.press("Enter")
        expect(page.locator("tbody tr")).to_have_count(STUDENTS - 50)
        expect(page.get_by_role("link", name="Page 2")).to_have_attribute("aria-current", "page")


def change_run(site: Site, **values: object) -> None:
    """Change the update of the district, and create it first if there is none."""
    now, own = utc_now(), site.person("district_admin").district.id
    with database_session(site) as session:
        run = SyncRun(id="run", district_id=own, trigger="administrator", started_at=now)
        lock = SyncLock(name=LOCK_NAME, holder="far:1:a", until=now + timedelta(hours=1))
        session.merge(lock)
        row = session.merge(run)
        for name, value in values.items():
            setattr(row, name, value)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_the_page_of_an_update_shows_its_progress_and_then_its_result(
    school: Site, browser: Browser, scripts: bool
) -> None:
    change_run(school, progress="1200 people", finished_at=None, mode=None)
    with page_of(browser, school, "district_admin", java_script_enabled=scripts) as page:

        def look_again() -> None:
            if scripts:
                page.clock.fast_forward(6_000)
            else:
                page.get_by_role("link", name="Check progress again").click()

        if scripts:
            page.clock.install()
        page.goto(f"{school.url}/district/updates/run")
        expect(page.get_by_text("1,200 people read so far.")).to_be_visible()
        change_run(school, progress="2400 people")
        look_again()
        expect(page.get_by_text("2,400 people read so far.")).to_be_visible()
        counts = {"people": {"new": 12, "changed": 3, "archived": 2}}
        change_run(school, finished_at=utc_now(), mode="events", counts=counts)
        look_again()
        expect(page.get_by_role("heading", name="The update is finished")).to_be_visible()
        expect(page.get_by_text("12 new, 3 changed, 2 no longer shared")).to_be_visible()


def test_an_update_can_be_started_with_the_keyboard(
    school: Site, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nice").write_text("#!/bin/sh\n")  # instead of the process that reads the district
    (tmp_path / "nice").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with database_session(school) as session:
        session.execute(delete(SyncRun))
    with page_of(browser, school, "district_admin") as page:
        page.goto(f"{school.url}/dashboard")
        page.get_by_role("button", name="Update now").focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/district/updates/[0-9a-f]{32}$"))


@pytest.mark.parametrize("zone", ["Pacific/Honolulu", "America/New_York"])
def test_times_are_in_the_time_zone_of_the_browser(
    school: Site, browser: Browser, zone: str
) -> None:
    with page_of(browser, school, "teacher", timezone_id=zone) as page:
        page.goto(f"{school.url}/dashboard")
        time = page.locator("main time").first
        moment = datetime.fromisoformat(str(time.get_attribute("datetime")))
        local = moment.astimezone(ZoneInfo(zone))
        expect(time).to_contain_text(f"{local:%B} {local.day}, {local.year}")
        expect(time).to_contain_text(f"{local.hour % 12 or 12}:{local:%M}")
        expect(time).not_to_contain_text("UTC")


def test_without_javascript_times_are_in_utc(school: Site, browser: Browser) -> None:
    with page_of(browser, school, "teacher", java_script_enabled=False) as page:
        page.goto(f"{school.url}/dashboard")
        expect(page.locator("main time").first).to_contain_text("UTC")
