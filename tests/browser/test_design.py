"""Tests the design: sizes, visibility of controls, layout shift, menus, print."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect
from sqlalchemy import select

from clever_login.db.models import Enrollment, Person, Section
from tests.support.chromium import run_chromium
from tests.support.page_tour import STOPS, DisplayMode, Tour, run_tour_site
from tests.support.roster_fixtures import STUDENT, database_session
from tests.support.running_app import Site

pytestmark = pytest.mark.browser
STOP = {stop.name: stop for stop in STOPS}
DASHBOARDS = ("student", "teacher", "school-admin", "district-admin", "two-roles")
STUDENT_STOPS = ("log-in", "logged-out", "cancelled", "not-found", "student", "student-class")
PHONE = DisplayMode(width=320, height=568)
SUBJECTS = (
    "math",
    "science",
    "social studies",
    "language",
    "homeroom/advisory",
    "interventions/online learning",
    "technology and engineering",
    "PE and health",
    "arts and music",
    None,
)
TARGETS = """() => [...document.querySelectorAll('a, button, summary')]
    .filter(element => element.checkVisibility())
    .map(element => [element.innerText, element.getBoundingClientRect()])
    .filter(([words, box]) => Math.min(box.height, box.width) < 44)
    .map(([words, box]) => `${words}: ${box.width} x ${box.height}`)"""
# On a busy machine the browser paints a page before all of its HTML is there. What comes after that
# moves the footer, which is not what these tests are about.
COUNT_SHIFTS = """new PerformanceObserver(list => {
    const parsed = performance.getEntriesByType('navigation')[0].domInteractive || Infinity;
    const shifts = list.getEntries().filter(entry => entry.startTime > parsed);
    if (shifts.length) window.shifted = (window.shifted || 0) + shifts.length;
}).observe({type: 'layout-shift', buffered: true})"""
PAINTED_TWICE = """() => new Promise(
    done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0))))"""


def give_more_classes(site: Site) -> None:
    """Add a section in each subject for the student: more than any screen shows at once."""
    with database_session(site) as session:
        clever_id = site.person("student").id
        student = session.scalars(select(Person).where(Person.clever_id == clever_id)).one()
        for number, subject in enumerate(SUBJECTS):
            key = f"more{number}"
            session.add(Section(id=key, name=f"More {subject}", subject=subject, period="9"))
            session.flush()
            session.add(Enrollment(section_id=key, person_id=student.id, role=STUDENT))


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    with run_tour_site(tmp_path_factory.mktemp("design")) as site, run_chromium() as browser:
        give_more_classes(site)
        yield Tour(site, browser)


@pytest.mark.parametrize("name", STUDENT_STOPS)
def test_links_and_buttons_are_large_enough_to_tap(tour: Tour, name: str) -> None:
    with tour.visit(STOP[name], PHONE) as page:
        assert page.evaluate(TARGETS) == []


def test_the_log_out_button_stays_in_sight_on_a_long_dashboard(tour: Tour) -> None:
    with tour.visit(STOP["student"], PHONE) as page:
        way_out = page.get_by_role("button", name="Not Ada? Log out")
        expect(way_out).to_be_in_viewport(ratio=1)
        assert page.locator(".tile").count() > 8
        page.locator("footer a").last.scroll_into_view_if_needed()
        assert page.evaluate("scrollY") > 0
        expect(way_out).to_be_in_viewport(ratio=1)


def test_class_tiles_are_directly_below_the_greeting(tour: Tour) -> None:
    with tour.visit(STOP["student"], PHONE) as page:
        expect(page.get_by_role("heading", name="Hi, Ada!")).to_be_in_viewport(ratio=1)
        expect(page.locator(".tile").first).to_be_in_viewport(ratio=1)


def test_each_subject_has_its_own_color_and_drawing(tour: Tour) -> None:
    with tour.visit(STOP["student"], DisplayMode()) as page:
        covers = page.locator(".tile-cover")
        colors = covers.evaluate_all(
            "elements => elements.map(element => getComputedStyle(element).backgroundColor)"
        )
        drawings = covers.locator("img").evaluate_all(
            "images => images.map(image => image.naturalWidth && image.src)"
        )
    assert all(drawings)
    assert len(set(zip(colors, drawings, strict=True))) == len(set(colors)) == 11


@pytest.mark.parametrize("name", [*DASHBOARDS, *STUDENT_STOPS])
def test_no_text_is_cut_off_at_200_percent_zoom(tour: Tour, name: str) -> None:
    with tour.visit(STOP[name], DisplayMode(width=640, height=400)) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 640
        page.evaluate("document.documentElement.style.fontSize = '200%'")  # only the text is larger
        assert page.evaluate("document.documentElement.scrollWidth") <= 640


@pytest.mark.parametrize("name", [*DASHBOARDS, "log-in", "not-found"])
def test_the_layout_does_not_shift_while_a_page_loads(tour: Tour, name: str) -> None:
    def delay_image(route: Route) -> None:
        """Load a drawing only after the page was painted without it, as on a slow network."""
        route.request.frame.evaluate(PAINTED_TWICE)
        route.continue_()

    with tour.visit(STOP[name], PHONE) as page:
        address = page.url
        page.goto("about:blank")  # stops requests of the page that could delay the drawing too
        page.add_init_script(COUNT_SHIFTS)
        page.route("**/*.svg", delay_image)
        page.goto(address)
        page.unroute_all(behavior="wait")
        page.evaluate(PAINTED_TWICE)
        assert page.evaluate("window.shifted") is None


def test_a_role_can_be_switched_by_keyboard_and_the_header_shows_it(tour: Tour) -> None:
    with tour.visit(STOP["two-roles"], DisplayMode()) as page:
        menu = page.locator("header summary")
        expect(menu).to_contain_text("Your role now: Teacher")
        menu.focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="See the school administrator page")).to_be_focused()
        page.keyboard.press("Enter")
        expect(menu).to_contain_text("Your role now: School administrator")
        page.goto(f"{tour.site.url}/")
        expect(menu).to_contain_text("Your role now: School administrator")
        menu.click()
        page.get_by_role("button", name="See the teacher page").click()
        expect(menu).to_contain_text("Your role now: Teacher")


@pytest.mark.parametrize("name", ["teacher", "school-admin", "district-admin"])
def test_an_adult_logs_out_from_the_menu_by_keyboard(tour: Tour, name: str) -> None:
    with tour.visit(STOP[name], DisplayMode()) as page:
        log_out = page.get_by_role("button", name="Log out")
        expect(log_out).to_be_hidden()
        page.locator("header summary").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(log_out).to_be_focused()
        expect(log_out).to_be_in_viewport(ratio=1)


def test_the_role_menu_fits_on_a_phone(tour: Tour) -> None:
    with tour.visit(STOP["two-roles"], PHONE) as page:
        page.locator("header summary").click()
        other = page.get_by_role("button", name="See the school administrator page")
        expect(other).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("name", [*DASHBOARDS, "teacher-class", "not-found"])
def test_a_printed_page_has_the_text_and_no_buttons(tour: Tour, name: str) -> None:
    with tour.visit(STOP[name], DisplayMode(scheme="dark")) as page:
        page.emulate_media(media="print")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        controls = page.locator("button, summary, .button, .clever-button, nav a")
        assert [control.inner_text() for control in controls.all() if control.is_visible()] == []
        body = page.locator("body")
        ink = body.evaluate("element => getComputedStyle(element).color")
        paper = body.evaluate("element => getComputedStyle(element).backgroundColor")
        assert (ink, paper) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")


def test_reduced_motion_turns_off_all_animation(tour: Tour) -> None:
    moves = "element => getComputedStyle(element).transitionDuration"
    with tour.visit(STOP["student"], DisplayMode()) as page:
        tile = page.locator(".tile").first
        assert tile.evaluate(moves) == "0s"
        page.emulate_media(reduced_motion="no-preference")
        assert tile.evaluate(moves) != "0s"
