"""Tests the simulator's OpenID Connect. Signatures are verified without a JOSE library."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from clever_simulator.config import RegisteredApp, default_config
from clever_simulator.server import RunningSimulator
from tests.support.browser_client import Visitor, send_request
from tests.support.running_app import ROOT
from tests.support.simulator_client import (
    APP_URL,
    CLIENT_SECRET,
    REDIRECT_URI,
    log_in_and_exchange,
    read_endpoint,
)
from tests.support.simulators import run_in_background

OIDC = "simulator-oidc"


@pytest.fixture
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(default_config(APP_URL)) as started:
        yield started


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def header(id_token: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(decode(id_token.split(".")[0]))
    return fields


def published_keys(clever: RunningSimulator) -> dict[str, dict[str, str]]:
    keys = send_request(f"{clever.url}/oauth/certs").json()["keys"]
    return {key["kid"]: key for key in keys}


def claims(clever: RunningSimulator, id_token: str) -> dict[str, Any]:
    """Return the claims of an id token. Asserts that its signature fits a published key."""
    key = published_keys(clever)[header(id_token)["kid"]]
    n, e = (int.from_bytes(decode(key[name])) for name in "ne")
    signed, _, signature = id_token.rpartition(".")
    public = RSAPublicNumbers(e, n).public_key()
    public.verify(decode(signature), signed.encode(), PKCS1v15(), SHA256())
    content: dict[str, Any] = json.loads(decode(signed.split(".")[1]))
    return content


def test_an_app_with_oidc_gets_an_id_token_that_names_the_user(clever: RunningSimulator) -> None:
    person = clever.people.person("teacher_admin")
    tokens = log_in_and_exchange(clever, OIDC, "teacher_admin", nonce="a nonce")
    assert set(tokens) == {"access_token", "id_token"}
    assert header(tokens["id_token"])["alg"] == "RS256"
    id_claims = claims(clever, tokens["id_token"])
    assert id_claims.pop("exp") - id_claims.pop("iat") == 3600
    assert id_claims == {
        "iss": clever.url,
        "sub": person.id,
        "aud": OIDC,
        "nonce": "a nonce",
        "user_id": person.role_assignment("teacher").legacy_id,
        "multi_role_user_id": person.id,
        "user_type": "teacher",
        "district": person.district.id,
        "email": person.email,
        "email_verified": False,
        "given_name": person.name.first,
        "family_name": person.name.last,
    }


def test_an_id_token_omits_a_missing_nonce_or_email(clever: RunningSimulator) -> None:
    id_claims = claims(clever, log_in_and_exchange(clever, OIDC, "sparse")["id_token"])
    assert not {"nonce", "email"} & set(id_claims)


@pytest.mark.parametrize(
    ("user_name", "user_type"),
    [("student", "student"), ("school_admin", "staff"), ("district_admin", "district admin")],
)
def test_the_user_type_claim_has_clevers_spelling(
    clever: RunningSimulator, user_name: str, user_type: str
) -> None:
    id_token = log_in_and_exchange(clever, OIDC, user_name)["id_token"]
    assert claims(clever, id_token)["user_type"] == user_type


@pytest.mark.parametrize("client_id", ["simulator", "simulator-sso"])
def test_an_app_without_oidc_gets_no_id_token(clever: RunningSimulator, client_id: str) -> None:
    assert set(log_in_and_exchange(clever, client_id, nonce="a nonce")) == {"access_token"}


def test_a_library_app_cannot_have_oidc() -> None:
    with pytest.raises(ValueError, match="Library"):
        RegisteredApp(
            client_id="x", client_secret="y", redirect_uris=("z",), tier="library", oidc=True
        )


def test_the_discovery_document_names_working_endpoints(clever: RunningSimulator) -> None:
    discovery = send_request(f"{clever.url}/.well-known/openid-configuration").json()
    assert discovery["issuer"] == clever.url
    assert send_request(discovery["jwks_uri"]).json()["keys"]
    for name, method in (("authorization", "GET"), ("token", "POST"), ("userinfo", "GET")):
        assert send_request(discovery[f"{name}_endpoint"], method).status_code in {400, 401}


def test_userinfo_accepts_get_and_post(clever: RunningSimulator) -> None:
    bearer = log_in_and_exchange(clever, OIDC, "teacher")["access_token"]
    responses = [
        read_endpoint(clever, "/userinfo", bearer, method).json() for method in ("GET", "POST")
    ]
    assert responses[0] == responses[1]
    assert responses[0]["user_type"] == "teacher"


def test_rotating_the_key_invalidates_old_id_tokens_unless_old_keys_are_kept(
    clever: RunningSimulator,
) -> None:
    first = log_in_and_exchange(clever, OIDC)["id_token"]
    kid = clever.rotate_keys(keep_old=True)
    second = log_in_and_exchange(clever, OIDC)["id_token"]
    assert header(second)["kid"] == kid
    assert claims(clever, first)["aud"] == claims(clever, second)["aud"] == OIDC
    response = send_request(f"{clever.url}/_simulator/keys", "POST", json={})
    assert set(published_keys(clever)) == {response.json()["kid"]}


def test_the_signing_key_can_be_rotated_on_the_control_page(clever: RunningSimulator) -> None:
    before = set(published_keys(clever))
    Visitor(APP_URL).open(f"{clever.url}/_simulator").press("Sign with a new key")
    assert not before & set(published_keys(clever))


def test_the_claims_of_id_tokens_can_be_overridden(clever: RunningSimulator) -> None:
    clever.change_claims(aud="another app", nonce=None)
    id_claims = claims(clever, log_in_and_exchange(clever, OIDC, nonce="mine")["id_token"])
    assert id_claims["aud"] == "another app"
    assert "nonce" not in id_claims
    clever.reset()
    assert claims(clever, log_in_and_exchange(clever, OIDC)["id_token"])["aud"] == OIDC


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [("discovery", "/.well-known/openid-configuration"), ("certs", "/oauth/certs")],
)
def test_faults_can_target_the_discovery_and_keys_endpoints(
    clever: RunningSimulator, endpoint: str, path: str
) -> None:
    clever.add_fault(endpoint, status=503)
    assert [send_request(clever.url + path).status_code for _ in range(2)] == [503, 200]


def test_the_oidc_app_has_the_same_redirect_uri_as_the_others() -> None:
    assert {app.primary_uri for app in default_config(APP_URL).apps} == {REDIRECT_URI}


def test_an_added_app_can_have_oidc(clever: RunningSimulator) -> None:
    command = [sys.executable, "-m", "clever_simulator", "--port", "0"]
    command += ["--app", f"mine:{CLIENT_SECRET}:sso+oidc:{REDIRECT_URI}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout
            url = child.stdout.readline().split()[-1]
            assert "id_token" in log_in_and_exchange(RunningSimulator(url, clever.app), "mine")
        finally:
            child.terminate()
