"""Checks that call Clever: connection, clock, credentials, districts, keys and redirect URI."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from clever_login.api_versions import NEW_APPS, VERSIONS, missing_version
from clever_login.clever.oidc import DISCOVERY_PATH
from clever_login.config import DEVELOPMENT
from clever_login.doctor.clever_probe import CleverProbe, ProbeReply
from clever_login.doctor.environment import DoctorEnvironment
from clever_login.doctor.findings import Finding, failure, ok, skipped, warning
from clever_login.errors import CleverUnavailable, KeysUnusable

# Authorization codes expire after a minute; id tokens get two minutes of leeway.
CLOCK_WARN_SECONDS, CLOCK_FAIL_SECONDS = 60, 120
DEMO_MARKER = "#DEMO"
NO_DISTRICT_MESSAGE = (
    "Unknown until a district connects. No district connects to a Clever Library app."
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
            f"{host} can be reached, but is temporarily unavailable (status {reply.status}).",
            "Try again in a few minutes, and check status.clever.com.",
        )
    tls_note = " over TLS, and its certificate is valid" if url.startswith("https:") else ""
    return ok(name, f"{host} can be reached{tls_note}.")


def check_clock(_environment: DoctorEnvironment, probe: CleverProbe) -> Iterator[Finding]:
    """Compare this machine's clock with Clever's."""
    seconds_ahead = probe.token_list.seconds_ahead
    if seconds_ahead is None:
        yield warning(
            "clock",
            "Clever's response contains no time to compare with this machine's clock.",
            "Check that this machine's clock is right.",
        )
    elif abs(seconds_ahead) > CLOCK_WARN_SECONDS:
        side = "behind" if seconds_ahead > 0 else "ahead of"
        message = f"This machine's clock is {abs(seconds_ahead):.0f} seconds {side} Clever's."
        is_failure = abs(seconds_ahead) > CLOCK_FAIL_SECONDS
        yield (failure if is_failure else warning)(
            "clock", message, "Synchronize the clock with NTP. Logins depend on it."
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
            "Clever does not accept CLEVER_CLIENT_ID and CLEVER_CLIENT_SECRET.",
            "Copy both again from your app's Settings page. Clever issues new ones at go-live "
            "and when a secret is rotated.",
        )
    elif probe.tokens is None:
        yield failure(
            name,
            f"The server at CLEVER_URL does not answer like Clever (status {reply.status}).",
            "Correct CLEVER_URL, or leave it unset.",
        )
    elif not probe.tokens:
        yield ok(
            name,
            "Clever accepts the credentials. No district has connected yet, or this is a Clever "
            "Library app, which has no districts.",
        )
    else:
        count = len(probe.tokens)
        yield ok(
            name,
            f"Clever accepts the credentials. Connected: {count} "
            f"{'district' if count == 1 else 'districts'}.",
        )


def check_districts(environment: DoctorEnvironment, probe: CleverProbe) -> Iterator[Finding]:
    """Tell development from production credentials by the names of the districts."""
    name, is_development = "districts", environment.settings.app_env == DEVELOPMENT
    if not probe.tokens:
        yield ok(name, NO_DISTRICT_MESSAGE)
        return
    demo, real = _count_demo_districts(probe)
    if real and environment.uses_clever and is_development:
        message = "This client id can read real districts, but APP_ENV is development."
        yield warning(name, message, "For development, use the credentials of a development app.")
    elif real and not environment.uses_clever:
        message = (
            "CLEVER_URL is not Clever, so its districts do not show which kind of credentials "
            "these are."
        )
        yield ok(name, message)
    elif real:
        yield ok(
            name,
            "At least one district is not a #DEMO district, so these are production credentials.",
        )
    elif not demo:
        message = "The districts' tokens cannot read the districts' records."
        yield warning(name, message, "Try again. If it fails again, ask Clever's support.")
    elif demo < len(probe.tokens):
        message = (
            f"{demo} of {len(probe.tokens)} districts were checked, and all of them are #DEMO "
            "districts."
        )
        yield ok(name, message)
    else:
        message = (
            "This client id can read only #DEMO districts, so these are development credentials."
        )
        fix = "For real schools, use the credentials that Clever issues at go-live."
        yield ok(name, message) if is_development else warning(name, message, fix)


def _count_demo_districts(probe: CleverProbe) -> tuple[int, bool]:
    """Return the number of #DEMO districts seen, and whether a real one ended the search."""
    demo = 0
    for name in probe.district_names():
        if DEMO_MARKER not in name:
            return demo, True
        demo += 1
    return demo, False


def check_version(environment: DoctorEnvironment, probe: CleverProbe) -> Iterator[Finding]:
    """Check, with a district's token, that Clever answers the app in the configured version."""
    name = "API version at Clever"
    version = VERSIONS[environment.settings.clever_api_version]
    if not probe.tokens:
        yield ok(name, NO_DISTRICT_MESSAGE)
        return
    permission = probe.can_list("districts")
    if permission:
        yield ok(name, f"Clever answers this app in {version.name}.")
    elif permission is None:
        message = f"Clever did not say whether this app has version {version.name} of its API."
        yield warning(name, message, "Try again.")
    else:
        fix = f"Set CLEVER_API_VERSION to {NEW_APPS}."
        yield failure(name, f"{missing_version(version).partition(':')[0]}.", fix)


def check_tier(_environment: DoctorEnvironment, probe: CleverProbe) -> Iterator[Finding]:
    """Check what Clever shares with the app, by what a district's token can read."""
    if not probe.tokens:
        yield ok("tier", NO_DISTRICT_MESSAGE)
        return
    permissions = [probe.can_list("schools"), probe.can_list("sections")]
    if True in permissions:
        yield ok("tier", "Secure Sync: the app can read schools and sections.")
    elif None in permissions:
        yield warning(
            "tier",
            "Clever did not answer whether the app can read schools and sections.",
            "Try again.",
        )
    else:
        yield ok(
            "tier", "SSO: the app can read the district itself, but no schools and no sections."
        )


def check_openid_connect(environment: DoctorEnvironment, probe: CleverProbe) -> Iterator[Finding]:
    """Check, with CLEVER_OIDC on, that Clever's keys can be found: without them no login works."""
    name = "OpenID Connect"
    if not environment.settings.clever_oidc:
        yield ok(name, "CLEVER_OIDC is off: the app needs no ID token.")
        return
    try:
        probe.read_signing_keys()
    except KeysUnusable as error:
        yield failure(
            name,
            f"The app cannot use Clever's keys: {error}. With CLEVER_OIDC on, every district login "
            "fails with 503.",
            f"Read {environment.settings.clever_url}{DISCOVERY_PATH}, and ask Clever's support. "
            "Without CLEVER_OIDC, logins work meanwhile.",
        )
    except CleverUnavailable as error:
        message = f"Clever's keys cannot be read now: {error}."
        yield warning(name, message, "Try again in a few minutes, and check status.clever.com.")
    else:
        yield ok(name, "The discovery document and the keys are as they must be.")


def check_authorization_request(
    environment: DoctorEnvironment, probe: CleverProbe
) -> Iterator[Finding]:
    """Try the redirect URI with an authorization request, as a logged-out browser would."""
    name, redirect_uri = "redirect URI at Clever", environment.redirect_uri
    if redirect_uri is None:
        yield warning(
            name,
            "Not checked, because only the running app knows the url_prefix of CleverLogin.",
            "Run flask --app NAME clever doctor, with the name of your app.",
        )
        return
    reply = probe.authorization(redirect_uri)
    if reply.response is None or reply.is_unavailable:
        yield skipped(name, ["Clever's login"])
    elif reply.status >= 400:
        yield warning(
            name,
            f"Clever answered a login request with {reply.status}. The redirect URI may not "
            "be registered.",
            f"Check that {redirect_uri} is one of the Redirect URIs in Clever's dashboard, with "
            "exactly the same spelling.",
        )
    else:
        yield ok(
            name,
            "Clever did not refuse the redirect URI. The doctor cannot see whether it is the "
            "first one in Clever's list. To check that, launch the app once from the Clever "
            "Portal.",
        )
