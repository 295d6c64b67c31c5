"""A small model of a browser's logins: what each request must answer, and who is logged in.

It repeats the rules of ARCHITECTURE.md and docs/assurance.md in a few lines, with times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LOGIN_S, CLOCKS_S, COOKIE_S = 600, 120, 12 * 3600  # of a login that waits for its callback
CODE_S, KNOWN_S = 60, 120  # how long Clever accepts a code, and the app remembers it
IDLE_S, MAX_S, WRITE_S = 1800, 8 * 3600, 300  # of a session, and how often a click is stored
DASHBOARD, CLEVER, HOME, AGAIN = "/dashboard", "/oauth/authorize", "/", "/login/again"


@dataclass
class Session:
    """Who is logged in, and by which state."""

    user: str
    state: str
    began: float
    seen: float

    def is_alive(self, now: float) -> bool:
        """Whether neither the idle limit nor the maximum age has passed."""
        return now < self.seen + IDLE_S and now < self.began + MAX_S


@dataclass
class Pending:
    """A login that this browser began, as its cookie says."""

    began: float
    restarts: int


@dataclass
class Code:
    """An authorization code: whose it is, and until when the app remembers it."""

    user: str
    issued: float
    known_until: float = 0
    is_redeemed: bool = False


@dataclass
class BrowserModel:
    """One browser: its session and its logins in progress."""

    session: Session | None = None
    pending: dict[str, Pending] = field(default_factory=dict)


@dataclass
class World:
    """Everything that must be remembered, over all browsers."""

    now: float = 1_000_000  # in seconds; only differences matter
    codes: dict[str, Code] = field(default_factory=dict)
    spent: dict[str, tuple[float, str | None]] = field(
        default_factory=dict
    )  # until, with which code

    def user_of(self, browser: BrowserModel) -> str | None:
        """Return who is logged in. A click is noted every five minutes."""
        session = browser.session
        if session is None or not session.is_alive(self.now):
            browser.session = None
            return None
        if abs(self.now - session.seen) > WRITE_S:
            session.seen = self.now
        return session.user

    def drop(self, code: str | None) -> None:
        """Remember a code that was not exchanged."""
        if code in self.codes and self.codes[code].known_until <= self.now:
            self.codes[code].known_until = self.now + KNOWN_S

    def callback(
        self, browser: BrowserModel, state: str, code: str | None, trouble: str = ""
    ) -> str:
        """Return the path or the error code that a callback must lead to.

        `trouble` is what goes wrong during the exchange: token, me, or cancelled.
        """
        login = browser.pending.get(state)
        age = self.now - login.began if login else 0
        if login is None or age > COOKIE_S:
            self.drop(code)
            return DASHBOARD if self.user_of(browser) else "login_expired"
        if not -CLOCKS_S <= age <= LOGIN_S:
            self.drop(code)
            return self._restart(browser, state)
        if trouble == "cancelled" or code is None:
            return self._refuse(browser, login)
        until, first_code = self.spent.get(state, (0.0, None))
        if until > self.now:
            if code != first_code:
                self.drop(code)
            user = self.user_of(browser)
            is_own = user and browser.session and browser.session.state == state
            return DASHBOARD if is_own else AGAIN
        self.spent[state] = (login.began + LOGIN_S + CLOCKS_S, code)
        return self._finish(browser, state, code, trouble)

    def _refuse(self, browser: BrowserModel, login: Pending) -> str:
        """Clever sent no code: the state stays unused, and so does a session that is younger."""
        latest = int(login.began) + 1  # cookies have whole seconds
        if self.user_of(browser) and browser.session and browser.session.began > latest:
            return DASHBOARD
        browser.session = None
        return "login_cancelled"

    def _finish(self, browser: BrowserModel, state: str, code: str, trouble: str) -> str:
        browser.session = None  # any failure logs the user out
        content = self.codes[code]
        is_known = content.known_until > self.now
        if not is_known:
            content.known_until = self.now + KNOWN_S
        if is_known or trouble == "token":
            if browser.pending[state].restarts == 0:
                return self._restart(browser, state)
            return "code_used" if is_known else "clever_unavailable"
        is_good = not content.is_redeemed and self.now <= content.issued + CODE_S
        content.is_redeemed = True
        if not is_good:
            return "code_used"
        if trouble == "me":
            return "clever_unavailable"
        del browser.pending[state]
        browser.session = Session(content.user, state, self.now, self.now)
        return DASHBOARD

    def again(self, browser: BrowserModel, state: str) -> str:
        """Return where `/login/again` must lead to."""
        login = browser.pending.get(state)
        user = self.user_of(browser)
        if user and browser.session and browser.session.state == state:
            return DASHBOARD
        if login is None or self.now - login.began > COOKIE_S:
            return HOME
        return self._restart(browser, state) if login.restarts == 0 else "code_used"

    def _restart(self, browser: BrowserModel, state: str) -> str:
        """A restart counts once more: the caller adds the new state with `restarts_of`."""
        self.restarts = browser.pending.pop(state).restarts + 1
        return CLEVER

    restarts: int = 0  # of the login that the last answer began

    def begin(self, browser: BrowserModel, state: str, restarts: int = 0) -> None:
        """Note a login that begins in this browser."""
        browser.pending[state] = Pending(self.now, restarts)
