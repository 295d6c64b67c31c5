"""Checks that call Clever: connection, clock, credentials, districts and redirect URI."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from clever_login.config import DEVELOPMENT
from clever_login.doctor.clever_probe import CleverProbe, ProbeReply
from clever_login.doctor.environment import DoctorEnvironment
from clever_login.doctor.findings import Finding, failure, ok, skipped, warning

# Authorization codes expire after a minute; id tokens get two minutes of leeway.
CLOCK_WARN_SECONDS, CLOCK_FAIL_SECONDS = 60, 120
DEMO_MARKER = "#DEMO"
NO_DISTRICT_MESSAGE = (
    "Cannot be told before a district has connected (to a Clever Library app none does)."
)


def check_login_host(environment: DoctorEnvironment, probe: CleverProbe) -> Iterator[Finding]:
    """Check DNS, TLS and a response from Clever's login host."""
    yield _check_host("Clever's login", environment.settings.clever_url, probe.token_list)


def check_data_host(environment: DoctorEnvironment, probe: CleverProbe) -> Iterator[Finding]:
    """Check DNS, TLS and a response from the data API's host."""
    yield _check_host("Clever's data", environment.settings.clever_api_url, probe.api)


def _check_host(name: str, url: str, reply: ProbeReply) -> Finding:
    host = urlsplit(url).hostname
    if reply.response is None:
        return failure(name, reply.problem, reply.fix)
    if reply.is_unavailable:
        return warning(
            name,
            f"{host} is reached and answers {reply.status}: it cannot just now.",
            "Try again in a few minutes; see status.clever.com.",
        )
    tls_note = " by TLS, with a certificate in order" if url.startswith("https:") else ""
    return ok(name, f"{host} is reached{tls_note}.")


def check_clock(_environment: DoctorEnvironment, probe: CleverProbe) -> Iterator[Finding]:
    """Compare this machine's clock with Clever's."""
    seconds_ahead = probe.token_list.seconds_ahead
    if seconds_ahead is None:
        yield warning("clock", "Clever's answer does not tell the time.", "Look at the clock.")
    elif abs(seconds_ahead) > CLOCK_WARN_SECONDS:
        side = "behind" if seconds_ahead > 0 else "ahead of"
        message = f"This machine's clock is {abs(seconds_ahead):.0f} seconds {side} Clever's."
        is_failure = abs(seconds_ahead) > CLOCK_FAIL_SECONDS
        yield (failure if is_failure else warning)(
            "clock", message, "Set it by NTP; logins depend on it."
        )
    else:
        yield ok("clock", "This machine's clock agrees with Clever's.")


def check_credentials(_environment: DoctorEnvironment, probe: CleverProbe) -> Iterator[Finding]:
    """Check the client id and secret by requesting the district-app tokens."""
    reply, name = probe.token_list, "credentials"
    if reply.response is None or reply.is_unavailable:
        yield skipped(name, ["Clever's login"])
    elif reply.status in {400, 401, 403}:
        yield failure(
            name,
            "Clever does not accept CLEVER_CLIENT_ID with CLEVER_CLIENT_SECRET.",
            "Copy both again from your app's Settings page. At go-live, and when a secret is "
            "rotated, Clever gives out new ones.",
        )
    elif probe.tokens is None:
        yield failure(
            name,
            f"What answers at CLEVER_URL is not Clever's login (status {reply.status}).",
            "Leave CLEVER_URL unset, or correct it.",
        )
    elif not probe.tokens:
        yield ok(
            name,
            "Clever accepts them. No district has connected yet, or this is a Clever Library app, "
            "which has no districts.",
        )
    else:
        count = len(probe.tokens)
        yield ok(name, f"Clever accepts them; {count} {'district' if count == 1 else 'districts'}.")


def check_districts(environment: DoctorEnvironment, probe: CleverProbe) -> Iterator[Finding]:
    """Tell development from production credentials by the names of the districts."""
    name, is_development = "districts", environment.settings.app_env == DEVELOPMENT
    if not probe.tokens:
        yield ok(name, NO_DISTRICT_MESSAGE)
        return
    demo, real = _count_demo_districts(probe)
    if real and environment.uses_clever and is_development:
        message = "This client id sees real districts, and APP_ENV is development."
        yield warning(name, message, "Develop with the credentials of a development app.")
    elif real and not environment.uses_clever:
        message = "CLEVER_URL is not Clever: its districts say nothing about the credentials."
        yield ok(name, message)
    elif real:
        yield ok(name, "Not all are #DEMO districts: these are production credentials.")
    elif not demo:
        message = "The districts' tokens do not open their records."
        yield warning(name, message, "Try again; if it stays so, ask Clever's support.")
    elif demo < len(probe.tokens):
        message = (
            f"{demo} of {len(probe.tokens)} districts were looked at, and are #DEMO districts."
        )
        yield ok(name, message)
    else:
        message = "This client id sees only #DEMO districts: these are development credentials."
        fix = "For real schools, use the credentials that Clever gives out at go-live."
        yield ok(name, message) if is_development else warning(name, message, fix)


def _count_demo_districts(probe: CleverProbe) -> tuple[int, bool]:
    """Return the number of #DEMO districts seen, and whether a real one ended the search."""
    demo = 0
    for name in probe.district_names():
        if DEMO_MARKER not in name:
            return demo, True
        demo += 1
    return demo, False


def check_tier(_environment: DoctorEnvironment, probe: CleverProbe) -> Iterator[Finding]:
    """Check what Clever shares with the app, by what a district's token can read."""
    if not probe.tokens:
        yield ok("tier", NO_DISTRICT_MESSAGE)
        return
    answers = [probe.can_list("schools"), probe.can_list("sections")]
    if True in answers:
        yield ok("tier", "Secure Sync: schools and sections can be read.")
    elif None in answers:
        yield warning("tier", "Clever does not say just now what may be read.", "Try again.")
    else:
        yield ok("tier", "SSO: only the district itself can be read, no schools and no sections.")


def check_authorization_request(
    environment: DoctorEnvironment, probe: CleverProbe
) -> Iterator[Finding]:
    """Try the redirect URI with an authorization request, as a logged-out browser would."""
    reply, name = probe.authorization, "redirect URI, tried"
    if reply.response is None or reply.is_unavailable:
        yield skipped(name, ["Clever's login"])
    elif reply.status >= 400:
        yield warning(
            name,
            f"Clever answers a login with {reply.status}: it may not know the redirect URI.",
            f"See that {environment.settings.redirect_uri} is among the Redirect URIs in Clever's "
            "dashboard, to the letter.",
        )
    else:
        yield ok(
            name,
            "Clever did not refuse it. Whether it is the first line cannot be seen from here: "
            "launch the app once from the Clever Portal.",
        )
