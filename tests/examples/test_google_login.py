"""Tests the recipe of a login with Google, at a provider on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from clever_login import AccountRefused, Identity, parts
from clever_login.testing import Browser, browser, login_as, sample_settings
from recipes import google_login, own_users
from tests.support.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    OpenIdProvider,
    run_openid_provider,
)
from tests.support.recipe_app import make_app

ELSEWHERE = {"Sec-Fetch-Site": "cross-site"}  # the browser comes back from Google


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    with run_openid_provider() as running:
        yield running


def start(
    folder: Path, provider: OpenIdProvider, domain: str = "staff.example.org", **arguments: Any
) -> Browser:
    """Return a browser at an app with its own users table, for one district of Clever."""
    settings = sample_settings(folder, clever_district_ids=("5f1",))
    added = (parts.Rosters(), parts.Database(metadata=own_users.metadata))
    options = {"find_or_create": own_users.find_or_create} | arguments
    app = make_app(settings, *added, **options)
    app.config.update(
        GOOGLE_CLIENT_ID=CLIENT_ID,
        GOOGLE_CLIENT_SECRET=CLIENT_SECRET,
        GOOGLE_DOMAIN=domain,
    )
    google_login.init_app(app, issuer=provider.issuer)
    return browser(app)


@pytest.fixture
def client(tmp_path: Path, provider: OpenIdProvider) -> Browser:
    return start(tmp_path, provider)


def log_in(client: Browser, provider: OpenIdProvider) -> Any:
    """Log in with Google and return the response to the browser that comes back."""
    at_google = client.get("/google/login").location
    assert at_google.startswith(f"{provider.issuer}/authorize?")
    return client.get(provider.authorize(at_google), headers=ELSEWHERE)


def test_a_member_of_staff_logs_in_with_google(client: Browser, provider: OpenIdProvider) -> None:
    assert log_in(client, provider).location == "/"
    first = client.get("/me").text
    assert first.startswith("google ")
    assert first.endswith(" Ada Lovelace")
    assert log_in(client, provider).location == "/"
    assert client.get("/me").text == first


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"hd": "example.com"},
        {"hd": None},
    ],
)
def test_an_unverified_email_address_and_another_domain_are_refused(
    client: Browser, provider: OpenIdProvider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    refused = log_in(client, provider)
    assert (refused.status_code, "only for our staff" in refused.text) == (403, True)
    assert client.get("/me").status_code == 302


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://accounts.example.com"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": "another-client", "azp": CLIENT_ID},
        {"nonce": "of-another-login"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"at_hash": "of-another-token"},
    ],
    ids=str,
)
def test_an_id_token_for_something_else_logs_nobody_in(
    client: Browser, provider: OpenIdProvider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    refused = log_in(client, provider)
    assert (refused.status_code, "did not work" in refused.text) == (403, True)
    assert client.get("/me").status_code == 302


def test_an_id_token_with_another_signature_logs_nobody_in(
    client: Browser, provider: OpenIdProvider
) -> None:
    provider.signing_key = RSAKey.generate_key(2048, {"kid": "1"})
    assert log_in(client, provider).status_code == 403
    assert client.get("/me").status_code == 302


def test_a_code_works_only_in_the_browser_that_asked_and_once(
    client: Browser, provider: OpenIdProvider
) -> None:
    back = provider.authorize(client.get("/google/login").location)
    other = browser(client.application)
    assert other.get(back, headers=ELSEWHERE).status_code == 403
    assert client.get(back, headers=ELSEWHERE).status_code == 302
    assert client.get(back, headers=ELSEWHERE).status_code == 403


def test_a_cancelled_login_and_an_outage_of_google_are_explained(
    client: Browser, provider: OpenIdProvider
) -> None:
    cancelled = client.get("/google/callback?error=access_denied&state=1", headers=ELSEWHERE)
    assert (cancelled.status_code, "did not work" in cancelled.text) == (403, True)
    provider.is_down = True
    assert "did not work" in client.get("/google/login").text
    provider.is_down = False
    back = provider.authorize(client.get("/google/login").location)
    provider.is_down = True
    assert "did not work" in client.get(back, headers=ELSEWHERE).text


def test_rules_for_clever_do_not_apply_to_google(client: Browser, provider: OpenIdProvider) -> None:
    log_in(client, provider)
    left = client.submit("/clever/logout")
    assert left.location == "/"
    assert client.get_cookie("confirm") is None
    login_as(client, "teacher", district_id="5f1")
    assert client.get("/me").text.startswith("clever ")
    log_in(client, provider)  # another person at the same computer
    assert client.get("/me").text.startswith("google ")


@pytest.mark.parametrize("domain", [None, ""])
def test_without_a_domain_of_your_own_nobody_is_staff(
    tmp_path: Path, provider: OpenIdProvider, domain: str | None
) -> None:
    client = start(tmp_path, provider, domain="")
    provider.claims = {"hd": domain}
    assert "only for our staff" in log_in(client, provider).text


def test_find_or_create_may_refuse_a_user_of_google(
    tmp_path: Path, provider: OpenIdProvider
) -> None:
    def refuse(_identity: Identity) -> str:
        raise AccountRefused("Ask for an account.")

    client = start(tmp_path, provider, find_or_create=refuse)
    assert "Ask for an account." in log_in(client, provider).text
