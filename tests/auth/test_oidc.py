"""Tests logins with an id token: complete validation, and one request less."""

from __future__ import annotations

import base64
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwk

from clever_login.api_versions import VERSIONS
from clever_login.clever.deadlines import Deadline
from clever_login.clever.http import HttpClient
from clever_login.clever.oidc import SigningKeys
from clever_login.errors import CleverUnavailable
from clever_simulator.config import Config
from tests.conftest import SiteMaker
from tests.support.browser_client import Visitor, send_request
from tests.support.login_flows import LOGIN_FLOWS, by_button, stop_before_callback
from tests.support.matrix import matrix
from tests.support.running_app import Site

KEY, OTHER_KEY = (jwk.RSAKey.generate_key(2048, {"kid": kid}) for kid in ("one", "other"))


@pytest.fixture
def site(make_site: SiteMaker) -> Site:
    """An app with OIDC enabled at Clever."""
    return make_site(clever_client_id="simulator-oidc")


def count_requests(site: Site, ending: str) -> int:
    """Return how many requests Clever received for paths with this ending."""
    return sum(request["path"].endswith(ending) for request in site.clever.received_requests())


@dataclass
class Forger:
    """An attacker between Clever and the app, who forges the next login's id token and keys."""

    site: Site
    user_name: str = "student"
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    keys: tuple[jwk.RSAKey, ...] = (KEY,)
    sign_with: Any = field(default_factory=lambda: KEY)

    def log_in(self, token: str | None = None) -> Visitor:
        """Reach the callback as an honest user. The token response to it is forged."""
        visitor = self.at_callback()
        code = parse_qs(urlsplit(visitor.url).query)["code"][0]
        bearer = self._exchange(code)["access_token"]
        token_response = {"access_token": bearer, "id_token": token or self.token(visitor)}
        self.site.clever.add_fault("token", body=json.dumps(token_response))
        published = {"keys": [key.as_dict(private=False) for key in self.keys]}
        self.site.clever.add_fault("certs", times=0, body=json.dumps(published))
        return visitor.open(visitor.url)

    def at_callback(self) -> Visitor:
        return stop_before_callback(self.site, self.user_name)

    def token(self, visitor: Visitor) -> str:
        """Return an id token that is valid except for this forger's changes."""
        person, now = self.site.person(self.user_name), int(time.time())
        sent = parse_qs(urlsplit(visitor.hops[0].headers["Location"]).query)
        claims: dict[str, Any] = {
            "iss": self.site.clever.url,
            "sub": person.id,
            "user_id": person.role_assignments[0].legacy_id,
            "aud": self.site.settings.clever_client_id,
            "iat": now,
            "exp": now + 3600,
            "nonce": sent["nonce"][0],
            "user_type": person.role_assignments[0].role,
            "district": person.district.id,
        }
        claims = {k: v for k, v in (claims | self.claims).items() if v is not None}
        for name in {"iat", "exp"} & {k for k, v in self.claims.items() if isinstance(v, int)}:
            claims[name] += now  # given as seconds from now
        header = {"alg": "RS256", "kid": "one", **self.header}
        header = {k: v for k, v in header.items() if v is not None}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{_base64(self._signature(header['alg'], signed.encode()))}"

    def _signature(self, algorithm: str, signed: bytes) -> bytes:
        """Sign by hand, because a library refuses to make some of these tokens."""
        if algorithm == "HS256":
            return hmac.digest(KEY.as_pem(private=False), signed, "sha256")
        key = self.sign_with.private_key
        signature: bytes = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return signature

    def _exchange(self, code: str) -> dict[str, str]:
        settings = self.site.settings
        form = {
            "grant_type": "authorization_code",
            "redirect_uri": settings.redirect_uri,
            "code": code,
        }
        auth = (settings.clever_client_id, settings.clever_client_secret)
        response = send_request(f"{settings.clever_url}/oauth/tokens", "POST", data=form, auth=auth)
        tokens: dict[str, str] = response.json()
        return tokens


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def is_refused(visitor: Visitor) -> bool:
    """Assert that the login fails with its error page. Returns whether the user is logged out."""
    assert visitor.code == "clever_unexpected", visitor.text
    return visitor.open("/dashboard").path == "/"


@pytest.mark.parametrize(("version", "entry"), matrix(VERSIONS, LOGIN_FLOWS))
def test_an_id_token_replaces_the_me_request(
    make_site: SiteMaker, version: str, entry: str
) -> None:
    site = make_site(clever_client_id="simulator-oidc", clever_api_version=version)
    visitor = LOGIN_FLOWS[entry](site, "teacher")
    assert (visitor.path, visitor.role) == ("/dashboard", "teacher")
    assert "Grace Whitaker" in visitor.text
    assert "Harrow Creek" in visitor.text
    assert count_requests(site, "/me") == 0


def test_the_login_role_is_the_one_the_id_token_names(site: Site) -> None:
    site.clever.change_claims(user_type="staff")
    assert by_button(site, "teacher_admin").role == "staff"
    site.clever.change_claims(user_type="teacher")
    assert by_button(site, "teacher_admin").role == "teacher"
    assert count_requests(site, "/userinfo") == 0


def test_userinfo_names_the_role_of_this_login(make_site: SiteMaker) -> None:
    site = make_site()
    visitor = by_button(site, "teacher_admin")
    assert (visitor.role, count_requests(site, "/userinfo")) == ("teacher", 1)


def test_a_userinfo_response_for_another_person_fails_the_login(make_site: SiteMaker) -> None:
    site = make_site()
    ids = {"sub": site.person("student").id, "user_id": site.person("teacher_admin").id}
    body = json.dumps({**ids, "user_type": "staff"})
    site.clever.add_fault("userinfo", body=body)
    visitor = by_button(site, "teacher_admin")
    assert visitor.code == "wrong_person"
    assert visitor.open("/dashboard").path == "/"


def test_an_unmodified_token_from_the_forging_proxy_is_accepted(site: Site) -> None:
    visitor = Forger(site).log_in()
    assert (visitor.path, visitor.role) == ("/dashboard", "student")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://clever.com.evil.test"},
        {"iss": None},
        {"sub": None},
        {"sub": "../admin"},
        {"sub": ["64aa"]},
        {"aud": "another-app"},
        {"aud": None},
        {"aud": ["simulator-oidc", "another-app"]},
        {"aud": ["simulator-oidc", "another-app"], "azp": "another-app"},
        {"aud": "simulator-oidc", "azp": "another-app"},
        {"iat": None},
        {"iat": "yesterday"},
        {"iat": 600},
        {"exp": None},
        {"exp": -150},
        {"nonce": None},
        {"nonce": "of another login"},
        {"nonce": ""},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    ],
    ids=json.dumps,
)
def test_an_id_token_with_wrong_claims_is_refused(site: Site, claims: dict[str, Any]) -> None:
    assert is_refused(Forger(site, claims=claims).log_in())


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": -90},
        {"iat": 90},
        {"aud": ["simulator-oidc"]},
        {"aud": ["simulator-oidc", "another-app"], "azp": "simulator-oidc"},
        {"user_type": "an unknown one"},
        {"email": 5, "given_name": ["x"], "new_claim": {"deep": []}},
    ],
    ids=json.dumps,
)
def test_two_minutes_of_clock_skew_and_unknown_claims_are_accepted(
    site: Site, claims: dict[str, Any]
) -> None:
    assert Forger(site, claims=claims).log_in().path == "/dashboard"


def test_an_id_token_without_clevers_claims_falls_back_to_me(site: Site) -> None:
    assert Forger(site, claims={"user_type": None}).log_in().path == "/dashboard"
    assert count_requests(site, "/me") == 1


def test_an_id_token_without_a_key_id_is_accepted_with_a_single_key(site: Site) -> None:
    assert Forger(site, header={"kid": None}).log_in().path == "/dashboard"


def test_an_id_token_without_a_key_id_is_refused_with_several_keys(site: Site) -> None:
    assert is_refused(Forger(site, header={"kid": None}, keys=(KEY, OTHER_KEY)).log_in())


@pytest.mark.parametrize("kid", ["one", "other", None])
def test_an_id_token_signed_with_another_key_is_refused(site: Site, kid: str | None) -> None:
    assert is_refused(Forger(site, sign_with=OTHER_KEY, header={"kid": kid}).log_in())


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": OTHER_KEY.as_dict(private=False)},
        {"jku": "https://evil.test/keys", "kid": "other"},
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
    ],
    ids=lambda header: next(iter(header)),
)
def test_a_key_in_the_id_tokens_header_is_ignored(site: Site, header: dict[str, Any]) -> None:
    assert is_refused(Forger(site, header=header, sign_with=OTHER_KEY).log_in())


def test_a_signed_id_token_with_an_unknown_critical_header_is_refused(
    site: Site,
) -> None:
    assert is_refused(Forger(site, header={"crit": ["b64"], "b64": True}).log_in())


def test_id_tokens_with_alg_none_or_hmac_are_refused(site: Site) -> None:
    assert is_refused(Forger(site, header={"alg": "HS256"}).log_in())
    forger = Forger(site)
    header, payload, _ = forger.token(forger.at_callback()).split(".")
    none = _base64(b'{"alg":"none"}')
    assert is_refused(forger.log_in(f"{none}.{payload}."))
    assert is_refused(forger.log_in(f"{header}.{payload}."))


@pytest.mark.parametrize("token", ["x", "a.b", "....", "é.é.é", "e30.e30.", "bnVsbA.e30.x"])
def test_a_malformed_id_token_is_refused(site: Site, token: str) -> None:
    assert is_refused(Forger(site).log_in(token))


def test_an_id_token_from_one_browser_is_refused_in_another(site: Site) -> None:
    stolen = Forger(site, user_name="teacher")
    token = stolen.token(stolen.at_callback())
    assert is_refused(Forger(site).log_in(token))


def test_rotated_signing_keys_are_found(site: Site) -> None:
    assert by_button(site, "student").path == "/dashboard"
    site.clever.rotate_keys()
    assert by_button(site, "student").path == "/dashboard"
    assert (count_requests(site, "/oauth/certs"), count_requests(site, "/me")) == (
        1,
        1,
    )  # second time from /me
    clock, keys = [1000.0], []
    signing = SigningKeys(HttpClient(), site.clever.url, lambda: clock[0])
    for kid, seconds in ((None, 0), ("new", 0), ("new", 61)):
        clock[0] += seconds
        new = site.clever.rotate_keys() if seconds else "unknown"
        with suppress(CleverUnavailable):
            key_set = signing.for_kid(new if seconds else kid, Deadline(5))
            keys.append({key.kid for key in key_set.keys})
    assert len(keys) == 2
    assert new in keys[-1]
    assert count_requests(site, "/oauth/certs") == 3


def test_a_login_without_time_for_the_keys_says_that_clever_is_slow(site: Site) -> None:
    with pytest.raises(CleverUnavailable, match="the time limit for this login has passed"):
        SigningKeys(HttpClient(), site.clever.url).for_kid(None, Deadline(0))


def test_unknown_key_ids_do_not_cause_repeated_key_requests(site: Site) -> None:
    assert is_refused(Forger(site, header={"kid": "unknown"}).log_in())
    for number in range(4):
        Forger(site, header={"kid": f"unknown {number}"}).log_in()
    assert (count_requests(site, "/oauth/certs"), count_requests(site, "/me")) == (1, 4)


def test_a_slow_key_request_does_not_fail_the_login(site: Site) -> None:
    site.clever.add_fault("certs", times=0, delay_s=5)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: by_button(site, "student").path, range(4)))
    assert paths == ["/dashboard"] * 4


def test_keys_are_requested_again_shortly_after_a_failure(site: Site) -> None:
    clock = [1000.0]
    signing = SigningKeys(HttpClient(), site.clever.url, lambda: clock[0])
    site.clever.add_fault("certs", body="html", times=2)  # the app retries a GET once
    for _ in range(2):
        with pytest.raises(CleverUnavailable):
            signing.for_kid("x", Deadline(5))
    clock[0] += 6
    assert signing.for_kid("x", Deadline(5))
    assert count_requests(site, "/oauth/certs") == 3


def test_keys_of_unknown_types_are_skipped(site: Site) -> None:
    strange = [{"kty": []}, {"kty": "RSA"}, 5, {"kty": "oct", "k": "AA"}]
    keys = [*strange, KEY.as_dict(private=False)]
    site.clever.add_fault("certs", body=json.dumps({"keys": keys}))
    signing = SigningKeys(HttpClient(), site.clever.url)
    assert [key.kid for key in signing.for_kid("one", Deadline(5))] == ["one"]


@pytest.mark.parametrize("claim", ["user_type", "district"])
def test_an_id_token_without_one_of_clevers_claims_is_still_fully_checked(
    make_site: SiteMaker, claim: str
) -> None:
    site = make_site(clever_client_id="simulator-oidc", clever_district_ids=("aaaa",))
    claims = {claim: None, "authorized_by": "teacher"}
    assert Forger(site, claims=claims).log_in().code == "district_not_allowed"


@pytest.mark.parametrize("endpoint", ["discovery", "certs"])
def test_the_app_falls_back_to_me_when_the_keys_cannot_be_read(site: Site, endpoint: str) -> None:
    site.clever.add_fault(endpoint, times=0, status=503)
    assert by_button(site, "student").path == "/dashboard"
    assert by_button(site, "student").path == "/dashboard"
    assert count_requests(site, "/me") == 2
    # One request and its retry after the 503. The second login makes no request.
    assert count_requests(site, "/.well-known/openid-configuration") <= 2
    assert count_requests(site, "/oauth/certs") <= 2


# With CLEVER_OIDC enabled


def strict_site(make_site: SiteMaker, client_id: str = "simulator-oidc", **changes: Any) -> Site:
    return make_site(clever_client_id=client_id, clever_oidc=True, **changes)


def change_app(site: Site, **changes: Any) -> None:
    """Change how the simulator treats the app."""
    client_id = site.settings.clever_client_id
    app = site.clever.app.extensions["clever_simulator"].config.app(client_id)
    site.clever.configure(Config(apps=(replace(app, **changes),)))


@pytest.mark.parametrize("endpoint", ["discovery", "certs"])
def test_with_clever_oidc_logins_fail_while_clevers_keys_cannot_be_read(
    make_site: SiteMaker, endpoint: str
) -> None:
    site = strict_site(make_site)
    site.clever.add_fault(endpoint, times=0, status=503)
    visitor = by_button(site, "student")
    assert (visitor.response.status_code, visitor.code) == (503, "clever_unavailable")
    assert "Retry-After" in visitor.response.headers
    assert visitor.open("/dashboard").path == "/"
    assert by_button(site, "student").code == "clever_unavailable"
    assert count_requests(site, "/me") == 0
    assert (
        count_requests(site, "/.well-known/openid-configuration") <= 2
    )  # one request and its retry
    site.clever.clear_faults()


def test_with_clever_oidc_an_id_token_signed_with_an_unknown_key_fails_the_login(
    make_site: SiteMaker,
) -> None:
    site = strict_site(make_site)
    assert by_button(site, "student").path == "/dashboard"
    site.clever.rotate_keys()  # within a minute of the last fetch
    visitor = by_button(site, "student")
    assert (visitor.response.status_code, visitor.code) == (503, "clever_unavailable")
    assert (count_requests(site, "/oauth/certs"), count_requests(site, "/me")) == (1, 0)


def test_with_clever_oidc_an_id_token_of_another_login_fails_even_without_keys(
    make_site: SiteMaker,
) -> None:
    site = strict_site(make_site)
    assert by_button(site, "teacher").path == "/dashboard"
    claims, header = {"nonce": "of another login"}, {"kid": "unknown"}
    visitor = Forger(site, claims=claims, header=header).log_in()
    assert visitor.code == "clever_unavailable"
    assert visitor.open("/dashboard").path == "/"
    assert count_requests(site, "/me") == 0


@pytest.mark.parametrize("version", ["v2.0", "v3.0"])
def test_with_clever_oidc_a_district_login_without_an_id_token_is_refused(
    make_site: SiteMaker, version: str
) -> None:
    site = strict_site(make_site, "simulator", clever_api_version=version)
    assert by_button(site, "student").code == "clever_misconfigured"
    change_app(site, sends_authorized_by=False)
    assert by_button(site, "student").code == "clever_misconfigured"


@pytest.mark.parametrize(
    ("version", "sends_authorized_by"), [("v2.0", True), ("v2.1", False), ("v3.0", True)]
)
def test_with_clever_oidc_library_logins_need_no_id_token(
    make_site: SiteMaker, version: str, sends_authorized_by: bool
) -> None:
    site = strict_site(make_site, clever_api_version=version)
    library = (site.person("teacher2").district.shortname,)
    change_app(site, library_districts=library, sends_authorized_by=sends_authorized_by)
    assert by_button(site, "student").role == "student"
    assert count_requests(site, "/me") == 0  # the id token has the user
    visitor = by_button(site, "teacher2").press("Yes")
    assert visitor.role == "teacher"
    assert "District" not in visitor.text
    assert count_requests(site, "/me") == 1


def test_whether_an_id_token_is_required_depends_on_how_the_app_was_authorized(
    make_site: SiteMaker,
) -> None:
    site = strict_site(make_site, "simulator")
    person, visitor = site.person("teacher"), by_button(site, "teacher")
    for authorized_by, district, code in (
        ("teacher", False, ""),
        ("teacher", True, ""),
        ("district", True, "clever_misconfigured"),
        ("district", False, "clever_misconfigured"),
        ("an unknown one", True, "clever_misconfigured"),
        ("an unknown one", False, "clever_misconfigured"),
        (["teacher"], False, "clever_misconfigured"),
        (None, True, "clever_misconfigured"),
        (None, False, ""),
    ):
        data = {"id": person.id, "type": "user", "authorized_by": authorized_by}
        data |= {"district": person.district.id} if district else {}
        claims = {key: value for key, value in data.items() if value is not None}
        site.clever.add_fault("me", body=json.dumps({"type": "user", "data": claims}))
        assert visitor.open("/login").code == code, claims
        assert visitor.open("/dashboard").path == ("/" if code else "/dashboard")


def test_signing_keys_are_refreshed_and_never_used_for_longer_than_a_day(site: Site) -> None:
    hour, clock = 60 * 60, [1000.0]
    signing = SigningKeys(HttpClient(), site.clever.url, lambda: clock[0])
    (key,) = signing.for_kid(None, Deadline(5)).keys
    clock[0] += 11 * hour
    signing.for_kid(key.kid, Deadline(5))
    assert count_requests(site, "/oauth/certs") == 1
    site.clever.add_fault("certs", times=0, body="html")
    clock[0] += 2 * hour
    for _ in range(3):
        assert signing.for_kid(key.kid, Deadline(5)).keys == [key]  # keys are still needed
    assert count_requests(site, "/oauth/certs") == 3  # an HTML response is retried once
    clock[0] += 12 * hour
    with pytest.raises(CleverUnavailable):
        signing.for_kid(key.kid, Deadline(5))
    site.clever.clear_faults()
    site.clever.rotate_keys()
    clock[0] += 10
    assert key.kid not in [key.kid for key in signing.for_kid(None, Deadline(5)).keys]
