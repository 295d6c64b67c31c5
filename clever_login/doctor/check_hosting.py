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
            f"The app trusts {count} {'proxy' if count == 1 else 'proxies'} in front of it.",
        )
    elif environment.platform:
        yield failure(
            "proxies",
            f"{environment.platform} has a router in front of the app, but TRUSTED_PROXIES is 0.",
            "Set TRUSTED_PROXIES to 1.",
        )
    elif environment.settings.https and environment.settings.app_env != DEVELOPMENT:
        yield warning(
            "proxies",
            "APP_URL is https, but TRUSTED_PROXIES is 0. That is right only if there is no proxy "
            "between browsers and the app.",
            "Set TRUSTED_PROXIES to the number of proxies that set X-Forwarded-For, usually 1.",
        )
    else:
        yield ok(
            "proxies", "The app trusts no proxy. That is right if there is none in front of it."
        )


def check_outgoing_variables(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Report proxy variables that the app does not use for its calls to Clever."""
    proxy_variables = environment.set_variables(*PROXY_VARIABLES)
    if environment.clever_is_on_this_machine:
        yield ok(
            "outgoing proxy",
            "CLEVER_URL is on this machine, so the app needs no network to reach it.",
        )
    elif proxy_variables:
        yield warning(
            "outgoing proxy",
            f"The app ignores {', '.join(proxy_variables)}: it always connects to Clever directly.",
            "If the checks below reach Clever, do nothing. Otherwise allow outgoing connections "
            "to clever.com and api.clever.com, port 443.",
        )
    else:
        yield ok(
            "outgoing proxy", "No proxy is configured, and the app connects to Clever directly."
        )


def check_ca_bundle(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Check the CA file used to verify Clever's certificate, where a network has its own."""
    bundle, other_bundles = (
        environment.settings.clever_ca_bundle,
        environment.set_variables(*CA_BUNDLE_VARIABLES),
    )
    if bundle is None and environment.clever_is_on_this_machine:
        yield ok("certificates", "CLEVER_URL is http on this machine, so no certificate is needed.")
    elif bundle is None and other_bundles:
        yield warning(
            "certificates",
            f"The app ignores {', '.join(other_bundles)}: it has its own list of certificate "
            "authorities.",
            "If the checks below reach Clever, do nothing. Otherwise set CLEVER_CA_BUNDLE to "
            "your network's file of certificate authorities.",
        )
    elif bundle is None:
        yield ok(
            "certificates", "Clever must present a certificate from a public certificate authority."
        )
    elif reason := _unreadable_reason(bundle):
        yield failure(
            "certificates",
            f"The file in CLEVER_CA_BUNDLE {reason}.",
            "Use a PEM file with the certificates of your network's authorities, or leave "
            "CLEVER_CA_BUNDLE unset to use the public authorities.",
        )
    else:
        yield ok(
            "certificates",
            "The file in CLEVER_CA_BUNDLE can be read. It replaces the public authorities.",
        )


def _unreadable_reason(path: str) -> str | None:
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return "contains no certificate"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None
