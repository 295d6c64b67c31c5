"""A tour of every page: which user sees it, and how the user gets there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import delete, select

from clever_login.config import Settings
from clever_login.db.database import database
from clever_login.db.history.sync_runs import LOCK_NAME
from clever_login.db.models import HeldRemoval, Person, Section, SyncLock, SyncRun, utc_now
from tests.support.browser_client import Visitor
from tests.support.login_flows import by_button
from tests.support.reference_app.app import create_app
from tests.support.running_app import Site, run_in_process

AXE_RULES = [
    "wcag2a",
    "wcag2aa",
    "wcag21a",
    "wcag21aa",
    "wcag22aa",
    "best-practice",
]  # axe's rule tags
Steps = Callable[[Page, Site], None]


@dataclass(frozen=True, kw_only=True)
class Stop:
    """One page, as seen by one kind of user."""

    name: str
    steps: Steps
    user_name: str | None = None  # at the simulator; None when logged out


@dataclass(frozen=True, kw_only=True)
class DisplayMode:
    """How a page is displayed: language, color scheme, and width."""

    language: str = "en"
    scheme: str = "light"
    width: int = 1280
    height: int = 800

    def __str__(self) -> str:
        return f"{self.language}-{self.scheme}-{self.width}"


@dataclass
class Tour:
    """A site with a synced roster, a browser, and the cookies of the logins so far."""

    site: Site
    browser: Browser

    def __post_init__(self) -> None:
        self._cookies: dict[str, list[Any]] = {}

    @contextmanager
    def visit(
        self, stop: Stop, mode: DisplayMode, watch: Callable[[Page], None] | None = None
    ) -> Iterator[Page]:
        """Open a page. `watch` gets the page before its first request."""
        context = self._context(mode)
        if stop.user_name:
            context.add_cookies(self._logged_in(stop.user_name))
        page = context.new_page()
        if watch:
            watch(page)
        stop.steps(page, self.site)
        page.wait_for_load_state()
        try:
            yield page
        finally:
            context.close()

    def _context(self, mode: DisplayMode) -> BrowserContext:
        return self.browser.new_context(
            viewport={"width": mode.width, "height": mode.height},
            color_scheme="dark" if mode.scheme == "dark" else "light",
            locale={"en": "en-US", "es": "es-US"}[mode.language],
            reduced_motion="reduce",
        )

    def _logged_in(self, user_name: str) -> list[Any]:
        """Return the cookies of a login. Each user logs in once for the whole tour."""
        if user_name not in self._cookies:
            self._cookies[user_name] = playwright_cookies(by_button(self.site, user_name))
        return self._cookies[user_name]


@contextmanager
def run_tour_site(
    folder: Path, make_app: Callable[[Settings], Flask] = create_app
) -> Iterator[Site]:
    """Run an app with every part that has a page enabled, and with a synced roster."""
    with run_in_process(folder, clever_status_url="{clever}/_status", make_app=make_app) as site:
        assert site.app
        run_flask_clever(site.app, "db", "upgrade")
        run_flask_clever(site.app, "sync")
        yield site


def run_flask_clever(app: Flask, *words: str) -> str:
    """Run `flask clever ...` and return its output."""
    result = app.test_cli_runner().invoke(args=["clever", *words])
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def playwright_cookies(visitor: Visitor) -> list[Any]:
    """Return the visitor's cookies for the app, in the format that Playwright expects."""
    return [
        {"name": str(cookie.name), "value": str(cookie.value), "url": visitor.app_url}
        for cookie in visitor.http.cookies
    ]


def open_path(path: str) -> Steps:
    """Open a path directly."""

    def go(page: Page, site: Site) -> None:
        page.goto(site.url + path)

    return go


def follow_links(*links: str) -> Steps:
    """From the dashboard, follow the first link into each of these folders."""

    def go(page: Page, site: Site) -> None:
        page.goto(f"{site.url}/dashboard")
        for folder in links:
            page.locator(f'main a[href^="{folder}"]').first.click()

    return go


def open_after_log_out(page: Page, site: Site) -> None:
    """Log out as a user whose session no other stop of the tour needs."""
    visitor = by_button(site, "sparse")
    page.context.add_cookies(
        [
            {"name": str(c.name), "value": str(c.value), "url": site.url}
            for c in visitor.http.cookies
        ]
    )
    page.goto(f"{site.url}/dashboard")
    page.locator('form[action="/logout"] button').first.click()


def cancel_at_clever(page: Page, site: Site) -> None:
    """Deny the authorization request at Clever."""
    with page.expect_request("**/oauth/authorize?*") as request:
        page.goto(f"{site.url}/login")
    state = parse_qs(urlsplit(request.value.url).query)["state"][0]
    page.goto(f"{site.url}/oauth/callback?error=access_denied&state={state}")


def open_clever_form(page: Page, site: Site) -> None:
    """Go from the login link to Clever's login form."""
    page.goto(site.url)
    page.locator('a[href^="/login"]').click()
    page.get_by_role("link", name=site.person("student").district.name).click()


def return_during_outage(page: Page, site: Site) -> None:
    """Return from Clever while its token endpoint answers with status 500."""
    site.clever.add_fault("token", status=500, times=2)  # the app restarts the login once
    page.goto(f"{site.clever.url}/in/{site.person('student').district.shortname}")
    page.get_by_label("User name").fill("student")
    page.get_by_label("Password").fill("clever")
    page.get_by_role("button", name="Log in", exact=True).click()
    page.locator(f'a.tile[href*="client_id={site.settings.clever_client_id}&"]').click()


def open_claim_link(page: Page, site: Site) -> None:
    """Open an operator's claim link to an account that existed before Clever."""
    assert site.app
    person = run_flask_clever(site.app, "accounts", "add", "--first-name", "Ada").split()[-1]
    link = run_flask_clever(site.app, "accounts", "invite", "--person", person).split()
    page.goto(next(word for word in link if word.startswith("http")))


def wait_for_idle_question(page: Page, site: Site) -> None:
    """Wait on the dashboard until the idle warning appears."""
    page.clock.install()
    page.goto(f"{site.url}/dashboard")
    # The warning appears two minutes before the session ends. The margin is for slow machines.
    page.clock.fast_forward((site.settings.session_idle_minutes * 60 - 110) * 1000)
    page.get_by_role("alertdialog").wait_for(timeout=90_000)


def open_removals(page: Page, site: Site) -> None:
    """Put the removal of some students and classes on hold, and open the page about it."""
    with database(site.app).begin() as session:
        own = site.person("district_admin").district.id
        people = select(Person.id).where(Person.district_id == own, Person.first_login.is_(None))
        sections = select(Section.id).where(Section.district_id == own)
        for kind, ids in (("people", people.order_by(Person.id)), ("sections", sections)):
            for record_id in session.scalars(ids.limit(9)):
                held = HeldRemoval(
                    district_id=own, kind=kind, record_id=record_id, linked_id="", role=""
                )
                session.merge(held)
    page.goto(f"{site.url}/district/removals")


def open_running_update(page: Page, site: Site) -> None:
    """Open an update that has read some people. The lock of its process is held."""
    at, own = utc_now(), site.person("district_admin").district.id
    run = SyncRun(id="running", district_id=own, trigger="administrator", started_at=at)
    lock = SyncLock(name=LOCK_NAME, holder="far:1:a", until=at + timedelta(hours=1))
    assert site.app
    with database(site.app).begin() as session:
        session.merge(run).progress = "1200 people"
        session.merge(lock)
    page.goto(f"{site.url}/district/updates/{run.id}")
    with database(site.app).begin() as session:  # the other stops have the button
        session.execute(delete(SyncRun).where(SyncRun.id == run.id))
        session.execute(delete(SyncLock).where(SyncLock.name == lock.name))


def click_update_too_often(page: Page, site: Site) -> None:
    """Click the button when the limit of the app is reached."""
    assert site.app
    own, now = site.person("district_admin").district, utc_now()
    other = next(district.id for district in site.clever.people.districts if district != own)
    with database(site.app).begin() as session:
        for number in range(6):
            run = SyncRun(
                id=f"often{number}",
                district_id=other,
                trigger="administrator",
                started_at=now,
                finished_at=now,
            )
            session.add(run)
    page.goto(f"{site.url}/dashboard")
    page.get_by_role("main").locator('form[action$="/district/updates"] button').click()
    with database(site.app).begin() as session:
        session.execute(delete(SyncRun).where(SyncRun.id.like("often%")))


CLEVER_FORM = Stop(name="simulator", steps=open_clever_form)
SCHOOL_PATH, CLASS_PATH, DISTRICT_PATH = "/schools/", "/classes/", "/district"
STOPS = (
    Stop(name="log-in", steps=open_path("/")),
    Stop(name="logged-out", steps=open_after_log_out),
    Stop(name="away", steps=open_path("/away")),
    Stop(name="cancelled", steps=cancel_at_clever),
    Stop(name="lost-login", steps=open_path("/oauth/callback?code=nothing&state=nothing")),
    Stop(name="clever-down", steps=return_during_outage),
    Stop(name="still-here", steps=wait_for_idle_question, user_name="student"),
    Stop(name="claim-log-in-first", steps=open_claim_link),
    Stop(name="not-found", steps=open_path("/nothing-here"), user_name="student"),
    Stop(name="not-yours", steps=open_path("/district"), user_name="student"),
    Stop(name="claim", steps=open_claim_link, user_name="student"),
    Stop(name="student", steps=open_path("/dashboard"), user_name="student"),
    Stop(name="student-class", steps=follow_links(CLASS_PATH), user_name="student"),
    Stop(name="teacher", steps=open_path("/dashboard"), user_name="teacher"),
    Stop(name="teacher-class", steps=follow_links(CLASS_PATH), user_name="teacher"),
    Stop(name="school-admin", steps=open_path("/dashboard"), user_name="school_admin"),
    Stop(name="school-admin-school", steps=follow_links(SCHOOL_PATH), user_name="school_admin"),
    Stop(name="district-admin", steps=open_path("/dashboard"), user_name="district_admin"),
    Stop(
        name="district-admin-district",
        steps=follow_links(DISTRICT_PATH),
        user_name="district_admin",
    ),
    Stop(name="district-admin-removals", steps=open_removals, user_name="district_admin"),
    Stop(
        name="updates",
        steps=follow_links("/district/updates"),
        user_name="district_admin",
    ),
    Stop(
        name="update",
        steps=follow_links("/district/updates", "/district/updates/"),
        user_name="district_admin",
    ),
    Stop(name="update-running", steps=open_running_update, user_name="district_admin"),
    Stop(name="update-later", steps=click_update_too_often, user_name="district_admin"),
    Stop(
        name="district-admin-class",
        steps=follow_links(DISTRICT_PATH, SCHOOL_PATH, CLASS_PATH),
        user_name="district_admin",
    ),
    Stop(name="two-roles", steps=open_path("/dashboard"), user_name="teacher_admin"),
    Stop(name="tells-little", steps=open_path("/dashboard"), user_name="sparse"),
)
