"""OpenID Connect at the simulator; signatures are checked without any JOSE library."""

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
from clever_simulator.server import Running, running
from tests.clever_client import APP_URL, REDIRECT_URI, SECRET, read, tokens
from tests.sites import ROOT
from tests.visitor import Visitor, ask

OIDC = "simulator-oidc"


@pytest.fixture
def clever() -> Iterator[Running]:
    with running(default_config(APP_URL)) as started:
        yield started


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def header(id_token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(decoded(id_token.split(".")[0]))
    return found


def published(clever: Running) -> dict[str, dict[str, str]]:
    keys = ask(f"{clever.url}/oauth/certs").json()["keys"]
    return {key["kid"]: key for key in keys}


def claims(clever: Running, id_token: str) -> dict[str, Any]:
    """The claims of an ID token, whose signature fits one of the published keys."""
    key = published(clever)[header(id_token)["kid"]]
    n, e = (int.from_bytes(decoded(key[name])) for name in "ne")
    signed, _, signature = id_token.rpartition(".")
    public = RSAPublicNumbers(e, n).public_key()
    public.verify(decoded(signature), signed.encode(), PKCS1v15(), SHA256())
    found: dict[str, Any] = json.loads(decoded(signed.split(".")[1]))
    return found


def test_an_app_with_oidc_gets_an_id_token_that_says_who_came(clever: Running) -> None:
    person = clever.people.person("teacher_admin")
    got = tokens(clever, OIDC, "teacher_admin", nonce="a nonce")
    assert set(got) == {"access_token", "id_token"}
    assert header(got["id_token"])["alg"] == "RS256"
    said = claims(clever, got["id_token"])
    assert said.pop("exp") - said.pop("iat") == 3600
    assert said == {
        "iss": clever.url,
        "sub": person.id,
        "aud": OIDC,
        "nonce": "a nonce",
        "user_id": person.post("teacher").legacy_id,
        "multi_role_user_id": person.id,
        "user_type": "teacher",
        "district": person.district.id,
        "email": person.email,
        "email_verified": False,
        "given_name": person.name.first,
        "family_name": person.name.last,
    }


def test_nonce_and_email_are_left_out_where_there_is_none(clever: Running) -> None:
    said = claims(clever, tokens(clever, OIDC, "sparse")["id_token"])
    assert not {"nonce", "email"} & set(said)


@pytest.mark.parametrize(
    ("user_name", "user_type"),
    [("student", "student"), ("school_admin", "staff"), ("district_admin", "district admin")],
)
def test_the_kinds_of_user_are_spelled_as_clever_spells_them(
    clever: Running, user_name: str, user_type: str
) -> None:
    got = tokens(clever, OIDC, user_name)["id_token"]
    assert claims(clever, got)["user_type"] == user_type


@pytest.mark.parametrize("client_id", ["simulator", "simulator-sso"])
def test_an_app_without_oidc_gets_no_id_token(clever: Running, client_id: str) -> None:
    assert set(tokens(clever, client_id, nonce="a nonce")) == {"access_token"}


def test_a_library_app_cannot_have_oidc() -> None:
    with pytest.raises(ValueError, match="Library"):
        RegisteredApp(
            client_id="x", client_secret="y", redirect_uris=("z",), tier="library", oidc=True
        )


def test_discovery_leads_to_endpoints_that_answer(clever: Running) -> None:
    found = ask(f"{clever.url}/.well-known/openid-configuration").json()
    assert found["issuer"] == clever.url
    assert ask(found["jwks_uri"]).json()["keys"]
    for name, method in (("authorization", "GET"), ("token", "POST"), ("userinfo", "GET")):
        assert ask(found[f"{name}_endpoint"], method).status_code in {400, 401}


def test_userinfo_answers_get_and_post_alike(clever: Running) -> None:
    bearer = tokens(clever, OIDC, "teacher")["access_token"]
    answers = [read(clever, "/userinfo", bearer, method).json() for method in ("GET", "POST")]
    assert answers[0] == answers[1]
    assert answers[0]["user_type"] == "teacher"


def test_a_new_key_makes_old_tokens_unknown_unless_old_keys_stay(clever: Running) -> None:
    first = tokens(clever, OIDC)["id_token"]
    kid = clever.rotate_keys(keep_old=True)
    second = tokens(clever, OIDC)["id_token"]
    assert header(second)["kid"] == kid
    assert claims(clever, first)["aud"] == claims(clever, second)["aud"] == OIDC
    answer = ask(f"{clever.url}/_simulator/keys", "POST", json={})
    assert set(published(clever)) == {answer.json()["kid"]}


def test_a_new_key_can_be_had_on_the_page_with_the_switches(clever: Running) -> None:
    before = set(published(clever))
    Visitor(APP_URL).open(f"{clever.url}/_simulator").press("Sign with a new key")
    assert not before & set(published(clever))


def test_a_test_may_put_other_claims_into_id_tokens(clever: Running) -> None:
    clever.change_claims(aud="another app", nonce=None)
    said = claims(clever, tokens(clever, OIDC, nonce="mine")["id_token"])
    assert said["aud"] == "another app"
    assert "nonce" not in said
    clever.reset()
    assert claims(clever, tokens(clever, OIDC)["id_token"])["aud"] == OIDC


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [("discovery", "/.well-known/openid-configuration"), ("certs", "/oauth/certs")],
)
def test_discovery_and_keys_can_fail(clever: Running, endpoint: str, path: str) -> None:
    clever.fault(endpoint, status=503)
    assert [ask(clever.url + path).status_code for _ in range(2)] == [503, 200]


def test_the_redirect_uri_of_the_oidc_app_is_that_of_the_others() -> None:
    assert {app.primary_uri for app in default_config(APP_URL).apps} == {REDIRECT_URI}


def test_an_app_of_ones_own_may_have_oidc_too(clever: Running) -> None:
    command = [sys.executable, "-m", "clever_simulator", "--port", "0"]
    command += ["--app", f"mine:{SECRET}:sso+oidc:{REDIRECT_URI}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout
            url = child.stdout.readline().split()[-1]
            assert "id_token" in tokens(Running(url, clever.app), "mine")
        finally:
            child.terminate()
