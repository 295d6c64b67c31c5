"""Checks of the environment and the translation files; they need no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from urllib.parse import urlsplit

from clever_login.api_versions import VERSIONS, support_summary
from clever_login.config import DEVELOPMENT, GENERATE_KEY_HINT, PRODUCTION, EnvironmentReader
from clever_login.doctor.environment import DoctorEnvironment, app_folder
from clever_login.doctor.findings import Finding, failure, ok, warning
from clever_login.i18n.catalogs import LIBRARY_FOLDER, Catalogs
from clever_login.web import template_overrides

NON_APP_VARIABLES = {"CLEVER_SPECS"}  # used by the tests


def check_variables(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Report settings that keep the app from starting, and unknown CLEVER_ variables."""
    for error in environment.errors:
        yield failure(
            "settings",
            error,
            "Correct this variable in the app's environment. The app does not start until you do.",
        )
    known_names = {
        setting.name.upper() for setting in fields(environment.settings)
    } | NON_APP_VARIABLES
    for name in sorted(environment.environ):
        if name.startswith("CLEVER_") and name not in known_names:
            yield warning(
                "settings",
                f"{name} is set, but the app has no setting with this name.",
                "Check the spelling. .env.example lists all names.",
            )
    if not environment.errors:
        yield ok("settings", "The app can read its settings and start.")


def check_secret_key(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check that the keys that protect sessions cannot be guessed."""
    reader = EnvironmentReader({})
    for secret in environment.settings.secrets:
        reader.strong("SECRET_KEY", secret)
    if reader.errors:  # in production, `check_variables` already reports it as an error
        yield warning(
            "secret key",
            "SECRET_KEY or one of its fallbacks is weak or a sample value. In production, "
            "the app would not start with it.",
            GENERATE_KEY_HINT,
        )
    else:
        yield ok("secret key", "SECRET_KEY cannot be guessed.")


def check_app_env(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check that APP_ENV suits this host."""
    if environment.settings.app_env == PRODUCTION:
        yield ok("mode", "APP_ENV is production: the app checks all settings when it starts.")
    elif environment.platform or (environment.settings.https and not _is_loopback_url(environment)):
        place = f"on {environment.platform}" if environment.platform else "at an https address"
        yield warning(
            "mode",
            f"APP_ENV is development {place}, so the app accepts weak secrets and http.",
            "If real users log in here, remove APP_ENV or set it to production.",
        )
    else:
        yield ok("mode", "APP_ENV is development. Use that only on your own machine.")


def check_support(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check that error pages say whom teachers can ask."""
    settings = environment.settings
    if settings.support_email or settings.support_url:
        yield ok("support", "Error pages say how to reach your support team.")
    elif settings.app_env == DEVELOPMENT:
        yield ok("support", "Error pages name no support team. In production, they should.")
    else:
        yield warning(
            "support",
            "Error pages do not say whom teachers and administrators can ask.",
            "Set SUPPORT_EMAIL or SUPPORT_URL.",
        )


def check_redirect_uri(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check that users' browsers can reach the redirect URI."""
    is_loopback = _is_loopback_url(environment)
    if is_loopback and environment.settings.app_env != DEVELOPMENT:
        yield failure(
            "redirect URI",
            "APP_URL is an address on this machine. Clever would send all users to their own "
            "machines instead.",
            "Set APP_URL to the https address that users open in their browsers.",
        )
    elif not environment.settings.https and not is_loopback:
        yield warning(
            "redirect URI",
            "APP_URL is an http address other than localhost. Clever accepts such an address "
            "only for development, if at all.",
            "Use https, or http://localhost while you develop.",
        )
    elif environment.redirect_uri is None:
        yield warning(
            "redirect URI",
            f"The redirect URI is {environment.settings.app_url} + url_prefix + /oauth/callback. "
            "Only the running app knows the url_prefix of CleverLogin (by default /clever).",
            "Run flask --app NAME clever doctor, with the name of your app. It prints the exact "
            "redirect URI.",
        )
    else:
        yield ok(
            "redirect URI",
            "In Clever's dashboard, the first line of Redirect URIs must be exactly "
            f"{environment.redirect_uri} (nothing after it, no slash).",
        )


def check_api_version(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check that Clever supports the configured API version."""
    version, name = VERSIONS[environment.settings.clever_api_version], "API version"
    message, fix = support_summary(version), "Unset CLEVER_API_VERSION, or set it to v3.0."
    if version.support.status == "retired":
        yield failure(name, message, fix)
    elif version.support.status == "deprecated":
        yield warning(
            name, message, f"{fix} If Clever gave your app this version, you can keep it."
        )
    else:
        yield ok(name, message)


def check_library_settings(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check for settings that do not work with Clever Library."""
    settings, name = environment.settings, "app type"
    if not settings.clever_library:
        yield ok(name, "CLEVER_LIBRARY is off: this is an app for districts.")
        return
    if settings.clever_district_ids:
        yield failure(
            name,
            "CLEVER_DISTRICT_IDS is set, but Clever Library users have no district, so the app "
            "refuses all of them.",
            "Unset CLEVER_DISTRICT_IDS.",
        )
    yield ok(
        name, "CLEVER_LIBRARY is on: teachers and their students log in through the Clever Library."
    )


def _is_loopback_url(environment: DoctorEnvironment) -> bool:
    """Return whether APP_URL is a loopback address."""
    host = urlsplit(environment.settings.app_url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def check_templates(_environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check that each template of the app that replaces one of the library's is up to date."""
    names = [*template_overrides.outdated_overrides(app_folder() / "templates")]
    for name in names:
        yield warning(
            "templates",
            f"templates/clever_login/{name} replaces a template of the library that has changed.",
            f"Compare it with clever_login/templates/clever_login/{name}, adopt the changes, and "
            "copy the number in its first line.",
        )
    if not names:
        yield ok("templates", "No template of the app replaces an older one of the library.")


def check_catalogs(_environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check that every translation file can be read and breaks no page."""
    catalogs = Catalogs(LIBRARY_FOLDER, app_folder() / "translations")
    problems = [*catalogs.problems()]
    for problem in problems:
        yield failure(
            "languages",
            problem,
            "Correct the file. Until then, the texts that cannot be read are shown in English.",
        )
    if not problems:
        labels = ", ".join(language.label for language in catalogs.languages.values())
        yield ok("languages", f"The pages are available in {labels}.")
