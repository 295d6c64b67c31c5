"""What a Clever client must do with each callback: one function for each row of the report."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from clever_simulator.conformance.browser import Browser, Page
from clever_simulator.conformance.client import App, CheckImpossible, changed, parameter
from clever_simulator.conformance.forms import find_form

Outcome = Literal["ok", "note", "problem"]
STUDENT, TEACHER, NO_EMAIL, TWO_ROLES = "student", "teacher", "sparse", "teacher_admin"
MIN_STATE_LENGTH = 16
TOKEN = re.compile(r"\bil[0-9a-f]{20,}")


@dataclass(frozen=True)
class Finding:
    """The result of one check. `says` is a sentence about what the app did."""

    name: str
    outcome: Outcome
    says: str


Check = Callable[[App], tuple[Outcome, str]]


def log_in(app: App) -> tuple[Outcome, str]:
    """A user logs in from the app."""
    browser = Browser()
    page = app.come_back(browser, app.callback(browser, STUDENT), STUDENT)
    app.page = app.page or page.url
    if not app.shows(browser, STUDENT):
        raise CheckImpossible(
            f"After a login, {app.page} answers {page.status} and does not show the user's name. "
            "Name a page that does: --page URL."
        )
    if app.shows(Browser(), STUDENT):
        raise CheckImpossible(f"{app.page} shows the user's name without a login.")
    if parameter(page.url, "code"):
        return (
            "problem",
            "The address of the page after the login has the code, as has its history.",
        )
    return "ok", "The user is logged in."


def has_state(app: App) -> tuple[Outcome, str]:
    """Each login has a state of its own."""
    first, second = (parameter(app.authorization(Browser()), "state") for _ in range(2))
    if not first:
        return "problem", "There is none, so a link can log a user in as somebody else."
    if first == second or len(first) < MIN_STATE_LENGTH:
        return "problem", f"It can be guessed: {first!r}, then {second!r}."
    return "ok", "It cannot be guessed."


def portal(app: App) -> tuple[Outcome, str]:
    """A user comes from the Portal, with a code and without a state."""
    browser = Browser()
    page = browser.open(app.launch(STUDENT), app.is_at_clever)
    if not app.is_at_clever(page.location):
        if app.shows(browser, STUDENT):
            return "problem", "The app uses the code: a link can log a user in as somebody else."
        return "note", f"The app refuses with {page.status}: nobody can log in from the Portal."
    if not parameter(page.location, "state"):
        return "problem", "The app starts a login without a state."
    app.come_back(browser, app.clever.log_in(page.location, STUDENT), STUDENT)
    if app.shows(browser, STUDENT):
        return "ok", "The app starts a login of its own, which succeeds."
    return "problem", "The app starts a login of its own, which fails."


def portal_code(app: App) -> tuple[Outcome, str]:
    """A code from the Portal is useless in another browser, also with a valid state."""
    launch = app.launch(STUDENT)
    Browser().open(launch, app.is_at_clever)
    thief = Browser()
    own = app.callback(thief, TEACHER)
    thief.open(changed(own, code=parameter(launch, "code")), app.is_at_clever)
    if app.shows(thief, STUDENT):
        return "problem", "The code logs anyone in for a minute, for example from a log."
    return "ok", "The app refuses it."


def forged_state(app: App) -> tuple[Outcome, str]:
    """A callback with a forged state logs nobody in."""
    browser = Browser()
    callback = changed(app.callback(browser, STUDENT), state="0" * 32)
    page = browser.open(callback, app.is_at_clever)
    return _nobody(app, browser, page)


def other_browser(app: App) -> tuple[Outcome, str]:
    """A callback in another browser than the login logs nobody in."""
    callback, other = app.callback(Browser(), STUDENT), Browser()
    return _nobody(app, other, other.open(callback, app.is_at_clever))


def other_login(app: App) -> tuple[Outcome, str]:
    """A callback in a browser with a login of its own logs nobody in."""
    callback, other = app.callback(Browser(), STUDENT), Browser()
    app.authorization(other)
    return _nobody(app, other, other.open(callback, app.is_at_clever))


def replay(app: App) -> tuple[Outcome, str]:
    """A used callback logs nobody in, in another browser."""
    browser, other = Browser(), Browser()
    callback = app.callback(browser, STUDENT)
    app.come_back(browser, callback, STUDENT)
    return _nobody(app, other, other.open(callback, app.is_at_clever))


def reload(app: App) -> tuple[Outcome, str]:
    """A user reloads the callback, or goes back to it."""
    browser = Browser()
    callback = app.callback(browser, STUDENT)
    app.come_back(browser, callback, STUDENT)
    page = browser.open(callback, app.is_at_clever)
    if page.status >= 500:
        return "problem", f"The app answers {page.status}."
    if app.shows(browser, STUDENT):
        return "ok", "The user is still logged in."
    return "note", f"The app answers {page.status}, and the user is logged out."


def double_click(app: App) -> tuple[Outcome, str]:
    """Two requests with the same callback arrive at once."""
    browser = Browser()
    callback = app.callback(browser, STUDENT)
    before = app.exchanges()
    with ThreadPoolExecutor(2) as threads:
        pages = list(threads.map(lambda _: browser.open(callback, app.is_at_clever), range(2)))
    exchanges = app.exchanges() - before
    if any(page.status >= 500 for page in pages):
        return "problem", f"The app answers {max(page.status for page in pages)}."
    if not app.shows(browser, STUDENT):
        return "problem", "Nobody is logged in."
    if exchanges > 1:
        return "note", f"The user is logged in. The app sends the code to Clever {exchanges} times."
    return "ok", "The user is logged in, and the app sends the code to Clever once."


def denied(app: App) -> tuple[Outcome, str]:
    """Clever sends an error instead of a code."""
    browser = Browser()
    callback = changed(app.callback(browser, STUDENT), code=None, error="access_denied")
    return _nobody(app, browser, browser.open(callback, app.is_at_clever))


def empty(app: App) -> tuple[Outcome, str]:
    """Someone opens the callback without any parameter."""
    browser = Browser()
    return _nobody(app, browser, browser.open(app.redirect_uri, app.is_at_clever))


def next_user(app: App) -> tuple[Outcome, str]:
    """On a shared computer, the next user logs in without a logout."""
    browser = Browser()
    app.come_back(browser, app.callback(browser, STUDENT), STUDENT)
    try:
        callback = app.callback(browser, TEACHER)
    except CheckImpossible:  # the app sends a user who is logged in to their page
        callback = app.launch(TEACHER)
    app.come_back(browser, callback, TEACHER)
    if app.shows(browser, TEACHER):
        return "ok", "The next user is logged in."
    if app.shows(browser, STUDENT):
        return "problem", "The page is still that of the first user."
    return "problem", "Nobody is logged in."


def no_email(app: App) -> tuple[Outcome, str]:
    """A user without an email address and without a school logs in."""
    return _logs_in(app, NO_EMAIL)


def two_roles(app: App) -> tuple[Outcome, str]:
    """A user with two roles logs in."""
    return _logs_in(app, TWO_ROLES)


def impersonated(app: App) -> tuple[Outcome, str]:
    """A district administrator logs in as a user."""
    browser = Browser()
    callback = changed(app.callback(browser, STUDENT), loginas_by_admin="true")
    page = app.come_back(browser, callback, STUDENT)
    if app.shows(browser, STUDENT):
        return "ok", "The user is logged in."
    return "problem", f"The app answers {page.status}."


def clever_down(app: App) -> tuple[Outcome, str]:
    """Clever is down."""
    simulator, browser = app.clever.simulator, Browser()
    callback = app.callback(browser, STUDENT)
    simulator.add_fault("token", status=503, times=0)
    try:
        page = browser.open(callback, app.is_at_clever)
        logged_in = app.shows(browser, STUDENT)
    finally:
        simulator.clear_faults()
    if logged_in:
        return "problem", "The user is logged in without a token."
    if page.status == 500:
        return "problem", "The app answers 500, as for a bug of its own."
    return "ok", f"The app answers {page.status}."


def log_out(app: App) -> tuple[Outcome, str]:
    """A user logs out."""
    if not app.logout:
        return "note", "Not checked. Name the address with --logout URL."
    browser = Browser()
    app.come_back(browser, app.callback(browser, STUDENT), STUDENT)
    shown = browser.open(app.page, app.is_at_clever)
    form = find_form(shown.url, shown.text, app.logout)
    page = browser.request(app.logout, form)
    if app.shows(browser, STUDENT):
        return "problem", f"{app.logout} answers {page.status}, and the user is still logged in."
    return "ok", "The user is logged out."


def secrets(app: App) -> tuple[Outcome, str]:
    """No answer contains the client secret or a token."""
    browser = Browser()
    app.come_back(browser, app.callback(browser, STUDENT), STUDENT)
    secret = app.clever.environment["CLEVER_CLIENT_SECRET"]
    for page in browser.pages:
        for name, found in (
            ("the client secret", secret in page.text + page.location),
            ("a token", TOKEN.search(page.text + page.location)),
        ):
            if found:
                return "problem", f"An answer contains {name}."
    return "ok", "None was found."


CHECKS: tuple[Check, ...] = (
    log_in,
    has_state,
    portal,
    portal_code,
    forged_state,
    other_browser,
    other_login,
    replay,
    reload,
    double_click,
    denied,
    empty,
    next_user,
    no_email,
    two_roles,
    impersonated,
    clever_down,
    log_out,
    secrets,
)


def run_check(app: App, check: Check) -> Finding:
    """Run one check. Raises CheckImpossible and AppUnreachable."""
    outcome, says = check(app)
    return Finding(str(check.__doc__).strip().rstrip("."), outcome, says)


def _logs_in(app: App, user_name: str) -> tuple[Outcome, str]:
    browser = Browser()
    page = app.come_back(browser, app.callback(browser, user_name), user_name)
    if app.shows(browser, user_name):
        return "ok", "The user is logged in."
    return "problem", f"The app answers {page.status}, and the user is not logged in."


def _nobody(app: App, browser: Browser, page: Page) -> tuple[Outcome, str]:
    if app.shows(browser, STUDENT):
        return "problem", "The user is logged in."
    if page.status >= 500:
        return "problem", f"Nobody is logged in, but the app answers {page.status}."
    if app.is_at_clever(page.location):
        return "ok", "Nobody is logged in. The app starts another login."
    return "ok", f"Nobody is logged in. The app answers {page.status}."
