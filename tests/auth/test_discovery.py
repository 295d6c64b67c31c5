"""Tests logins while Clever's discovery document or keys are not as OpenID Connect says.

The answer depends on CLEVER_OIDC alone: without it, the app calls `/me`; with it, it answers 503.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from clever_login.clever.deadlines import Deadline
from clever_login.clever.http import HttpClient
from clever_login.clever.oidc import SigningKeys
from clever_login.errors import KeysUnusable
from tests.conftest import SiteMaker
from tests.support.login_flows import by_button
from tests.support.running_app import Site

# The endpoint and the fault of the simulator, and what the log says. {clever}: the issuer.
DOCUMENTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "issuer_with_a_slash": (
        "discovery",
        {"fields": {"issuer": "{clever}/"}},
        "the issuer of the discovery document is not {clever} (a trailing slash)",
    ),
    "another_issuer": (
        "discovery",
        {"fields": {"issuer": "https://evil.test"}},
        "the issuer of the discovery document is not {clever}",
    ),
    "issuer_missing": (
        "discovery",
        {"fields": {"issuer": None}},
        "the discovery document has no issuer",
    ),
    "keys_on_another_host": (
        "discovery",
        {"fields": {"jwks_uri": "{elsewhere}/oauth/certs"}},
        "the jwks_uri of the discovery document is not below {clever}/",
    ),
    "keys_on_a_host_that_begins_alike": (
        "discovery",
        {"fields": {"jwks_uri": "{clever}.evil.test/oauth/certs"}},
        "the jwks_uri of the discovery document is not below {clever}/",
    ),
    "keys_are_no_address": (
        "discovery",
        {"fields": {"jwks_uri": ["{clever}/oauth/certs"]}},
        "the jwks_uri of the discovery document is not below {clever}/",
    ),
    "jwks_uri_missing": (
        "discovery",
        {"fields": {"jwks_uri": None}},
        "the discovery document has no jwks_uri",
    ),
    "not_json": (
        "discovery",
        {"body": "html"},
        "the discovery document is not a JSON object",
    ),
    "a_list": ("discovery", {"body": "[]"}, "the discovery document is not a JSON object"),
    "not_there": (
        "discovery",
        {"status": 404},
        "Clever answered 404 to the request for the discovery document",
    ),
    "keys_not_json": ("certs", {"body": "html"}, "the key set is not a JSON object"),
    "keys_missing": ("certs", {"fields": {"keys": None}}, "the key set has no list of keys"),
    "no_key": ("certs", {"fields": {"keys": []}}, "the key set has no usable key"),
    "keys_not_there": (
        "certs",
        {"status": 404},
        "Clever answered 404 to the request for the key set",
    ),
}
each_document = pytest.mark.parametrize("name", DOCUMENTS)


def serve_document(site: Site, name: str) -> str:
    """Make the simulator send this document until it is cleared. Return what the log must say."""
    endpoint, fault, reason = DOCUMENTS[name]
    clever = site.clever.url
    urls = {"{clever}": clever, "{elsewhere}": clever.replace("127.0.0.1", "localhost")}
    site.clever.add_fault(endpoint, times=0, **_fill_in(fault, urls))
    return str(_fill_in(reason, urls))


def _fill_in(value: Any, urls: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill_in(inner, urls) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill_in(inner, urls) for inner in value]
    for name, url in urls.items():
        value = value.replace(name, url) if isinstance(value, str) else value
    return value


def count_requests(site: Site, ending: str) -> int:
    return sum(request["path"].endswith(ending) for request in site.clever.received_requests())


def logged(capfd: pytest.CaptureFixture[str], event: str) -> list[dict[str, Any]]:
    """Return every event with this name since the last call."""
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


@each_document
def test_without_clever_oidc_an_odd_document_means_that_me_names_the_user(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    site = make_site(clever_client_id="simulator-oidc")
    reason = serve_document(site, name)
    for times in (1, 2):  # the second login comes while the document is not asked for again
        visitor = by_button(site, "student")
        assert (visitor.path, visitor.role) == ("/dashboard", "student")
        assert count_requests(site, "/me") == times
        (entry,) = logged(capfd, "id_token_left_aside")
        assert (entry["level"], entry["cause"]) == ("warning", reason)


@each_document
def test_with_clever_oidc_an_odd_document_is_a_503_whose_reason_is_in_the_log(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    site = make_site(clever_client_id="simulator-oidc", clever_oidc=True)
    reason = serve_document(site, name)
    for _ in range(2):
        visitor = by_button(site, "student")
        assert (visitor.response.status_code, visitor.code) == (503, "clever_unavailable")
        assert "Retry-After" in visitor.response.headers
        assert visitor.open("/dashboard").path == "/"
        (entry,) = logged(capfd, "failure")
        assert (entry["level"], entry["reason"]) == ("error", reason)
        assert entry["causes"].startswith("KeysUnusable")
    assert count_requests(site, "/me") == 0


@pytest.mark.parametrize("clever_oidc", [False, True])
def test_keys_on_another_host_are_never_requested(
    make_site: SiteMaker, *, clever_oidc: bool
) -> None:
    """The other host is the same simulator under another name, so its keys would even fit."""
    site = make_site(clever_client_id="simulator-oidc", clever_oidc=clever_oidc)
    assert urlsplit(site.clever.url).hostname == "127.0.0.1"
    serve_document(site, "keys_on_another_host")
    by_button(site, "student")
    assert count_requests(site, "/.well-known/openid-configuration") == 1
    assert count_requests(site, "/oauth/certs") == 0


@each_document
def test_a_corrected_document_is_used_five_seconds_later(site: Site, name: str) -> None:
    clock = [1000.0]
    signing = SigningKeys(HttpClient(), site.clever.url, lambda: clock[0])
    serve_document(site, name)
    with pytest.raises(KeysUnusable):
        signing.for_kid(None, Deadline(5))
    site.clever.clear_faults()
    with pytest.raises(KeysUnusable):  # remembered, so that not every login asks
        signing.for_kid(None, Deadline(5))
    clock[0] += 6
    assert signing.for_kid(None, Deadline(5)).keys


@each_document
def test_keys_that_are_known_survive_an_odd_document(site: Site, name: str) -> None:
    hour, clock = 60 * 60, [1000.0]
    signing = SigningKeys(HttpClient(), site.clever.url, lambda: clock[0])
    keys = signing.for_kid(None, Deadline(5)).keys
    serve_document(site, name)
    clock[0] += 13 * hour
    assert signing.for_kid(keys[0].kid, Deadline(5)).keys == keys
    clock[0] += 12 * hour
    with pytest.raises(KeysUnusable):
        signing.for_kid(keys[0].kid, Deadline(5))
