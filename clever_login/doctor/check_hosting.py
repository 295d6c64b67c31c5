"""Checks of the app's surroundings: proxies in front of it, and its connections to Clever."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from clever_login.config import DEVELOPMENT
from clever_login.doctor.environment import DoctorEnvironment
from clever_login.doctor.findings import Finding, failure, ok, warning

PROXY_VARIABLES = (
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
)
CA_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


def check_proxies(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check TRUSTED_PROXIES: behind a router, the app needs it to tell https from http."""
    count = environment.settings.trusted_proxies
    if count:
        yield ok(
            "proxies",
            f"The app believes {count} {'proxy' if count == 1 else 'proxies'} in front of it.",
        )
    elif environment.platform:
        yield failure(
            "proxies",
            f"This is {environment.platform}, which has a router in front, and TRUSTED_PROXIES"
            " is 0.",
            "Set TRUSTED_PROXIES to 1.",
        )
    elif environment.settings.https and environment.settings.app_env != DEVELOPMENT:
        yield warning(
            "proxies",
            "APP_URL is https and TRUSTED_PROXIES is 0: right only if nothing stands between "
            "browsers and the app.",
            "Set TRUSTED_PROXIES to the number of proxies that set X-Forwarded-For, often 1.",
        )
    else:
        yield ok("proxies", "The app believes no proxy, as on a machine without one.")


def check_outgoing_variables(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Report proxy variables that the app does not use for its calls to Clever."""
    proxy_variables = environment.set_variables(*PROXY_VARIABLES)
    if environment.clever_is_on_this_machine:
        yield ok("way out", "CLEVER_URL is on this machine: no network is between it and the app.")
    elif proxy_variables:
        yield warning(
            "way out",
            f"The app does not use {', '.join(proxy_variables)}: it goes to Clever directly,"
            " on purpose.",
            "Nothing, if Clever is reached. Else open the way to clever.com and api.clever.com, "
            "port 443.",
        )
    else:
        yield ok("way out", "No proxy is asked for on the way to Clever.")


def check_ca_bundle(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check the CA file used to verify Clever's certificate, where a network has its own."""
    bundle, other_bundles = (
        environment.settings.clever_ca_bundle,
        environment.set_variables(*CA_BUNDLE_VARIABLES),
    )
    if bundle is None and environment.clever_is_on_this_machine:
        yield ok("certificates", "CLEVER_URL is http on this machine: no certificate is needed.")
    elif bundle is None and other_bundles:
        yield warning(
            "certificates",
            f"The app does not use {', '.join(other_bundles)}: it has its own list of authorities.",
            "Nothing, if Clever is reached. Else set CLEVER_CA_BUNDLE to your network's file.",
        )
    elif bundle is None:
        yield ok("certificates", "Clever must show a certificate of a usual authority.")
    elif reason := _unreadable_reason(bundle):
        yield failure(
            "certificates",
            f"The file of CLEVER_CA_BUNDLE {reason}.",
            "It must be PEM text with the certificates of your network's authorities; unset, "
            "the usual ones are taken.",
        )
    else:
        yield ok("certificates", "CLEVER_CA_BUNDLE can be read; it replaces the usual authorities.")


def _unreadable_reason(path: str) -> str | None:
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return "holds no certificate"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None
