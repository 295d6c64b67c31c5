"""Tests production as shipped: https in front of gunicorn, Redis, and Clever's real host names.

It runs in a private mount namespace, in which the hosts file maps clever.com to this machine.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clever_simulator.server import run_in_background
from tests.support import certificates, running_app
from tests.support.browser_client import send_request
from tests.support.production_driver import (
    APP_HOST,
    AUTHORITY_FILE,
    CERTIFICATE_FILE,
    CLEVER_HOST,
    HOST_NAMES,
    KEY_FILE,
    LOGIN_FLOWS,
)
from tests.support.running_app import ROOT

UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
SECONDS = 300
pytestmark = [pytest.mark.servers, pytest.mark.browser]


def may_unshare() -> bool:
    """Return whether this machine allows a private mount namespace, for a private hosts file."""
    try:
        command = [*UNSHARE, "mount", "--bind", "/etc/hosts", "/etc/hosts"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of one run of Chromium through production."""
    if not may_unshare():  # allowed on a developer's machine; with CI=true nothing is skipped
        assert os.environ.get("CI") != "true", "run this as root: it needs a mount namespace"
        pytest.skip("needs a mount namespace of its own: run this as root")
    folder = tmp_path_factory.mktemp("production")
    make_certificates(folder)
    command = [*UNSHARE, sys.executable, "-m", "tests.support.production_driver", str(folder)]
    log = folder / "driver.log"
    with running_app.run_process(command, {}, log) as child:
        code = child.wait(SECONDS)
    output = log.read_text()
    assert code == 0, output
    report: dict[str, Any] = json.loads(output.splitlines()[-1])
    return report


def make_certificates(folder: Path) -> None:
    """Create a private certificate authority and a certificate for Clever's and the app's names."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("a network's own authority", authority_key, authority_key)
    signed = _certificate(CLEVER_HOST, key, authority_key)
    (folder / AUTHORITY_FILE).write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / CERTIFICATE_FILE).write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / KEY_FILE).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    is_authority, now = key is signer, datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("a network's own authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(_usage(of_an_authority=is_authority), critical=True)
    )
    if not is_authority:
        hosts = x509.SubjectAlternativeName([x509.DNSName(name) for name in HOST_NAMES])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(hosts, critical=False).add_extension(usage, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _usage(of_an_authority: bool) -> x509.KeyUsage:
    """Return the complete key usage of RFC 5280. Python requires it from 3.13 on."""
    return x509.KeyUsage(
        digital_signature=not of_an_authority,
        key_cert_sign=of_an_authority,
        crl_sign=of_an_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def cookies_of_the_app(cookies: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {cookie["name"]: cookie for cookie in cookies if APP_HOST in cookie["domain"]}


def app_responses(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        response
        for response in report["responses"]
        if response["url"].startswith(f"{report['app_url']}/")
    ]


def test_the_production_setup_uses_only_documented_variables(report: dict[str, Any]) -> None:
    sample = (ROOT / ".env.example").read_text()
    assert all(f"{name}=" in sample for name in report["variables"])
    assert CLEVER_HOST not in Path("/etc/hosts").read_text()  # the private hosts file is gone


@pytest.mark.parametrize("entry", LOGIN_FLOWS)
def test_each_entry_point_ends_on_the_students_dashboard(
    report: dict[str, Any], entry: str
) -> None:
    page = report["entered"][entry]
    assert page["url"] == f"{report['app_url']}/dashboard"
    assert page["heading"] == "Hi, Ada!"
    assert "Ada Moreno" in page["text"]


@pytest.mark.parametrize("entry", LOGIN_FLOWS)
def test_the_session_uses_a_single_host_prefixed_cookie(report: dict[str, Any], entry: str) -> None:
    assert list(cookies_of_the_app(report["entered"][entry]["cookies"])) == ["__Host-session"]


def test_a_pending_login_uses_a_host_prefixed_cookie(report: dict[str, Any]) -> None:
    (name,) = cookies_of_the_app(report["entered"]["button"]["cookies_at_clever"])
    assert name.startswith("__Host-login-")


def test_every_cookie_is_secure_host_only_and_http_only(report: dict[str, Any]) -> None:
    walks = [*report["entered"].values(), report["without_ca_bundle"]]
    cookies = [cookie for walk in walks for cookie in walk["cookies_at_clever"] + walk["cookies"]]
    assert {CLEVER_HOST, APP_HOST} == {
        cookie["domain"] for cookie in cookies
    }  # no leading dot: host-only
    for cookie in cookies:
        attributes = (cookie["path"], cookie["secure"], cookie["httpOnly"], cookie["sameSite"])
        assert attributes == ("/", True, True, "Lax"), cookie["name"]


def test_every_response_sends_hsts(report: dict[str, Any]) -> None:
    responses = app_responses(report)
    assert {response["status"] for response in responses} >= {200, 302, 303, 503}
    assert any("/static/" in response["url"] for response in responses)
    urls_with_hsts = {
        response["url"] for response in responses if response["hsts"].startswith("max-age=31536000")
    }
    for response in responses:  # a file used twice on a page may come from the browser's cache once
        assert response["hsts"] or "/static/" in response["url"], response
        assert response["url"] in urls_with_hsts, response


def test_every_redirect_and_request_uses_https(report: dict[str, Any]) -> None:
    for response in report["responses"]:
        assert response["url"].startswith("https://")
        assert not response["location"].startswith("http://"), response


def test_without_the_ca_bundle_the_connection_to_clever_fails(report: dict[str, Any]) -> None:
    page = report["without_ca_bundle"]
    assert page["code"] == "clever_unavailable"
    assert page["heading"] == "Clever is not working right now"
    assert "__Host-session" not in cookies_of_the_app(page["cookies"])


# The simulator over TLS


@pytest.mark.parametrize("tls", [True, False])
def test_the_simulator_answers_to_clevers_host_names_only_over_tls(
    tmp_path: Path, tls: bool
) -> None:
    certificate = certificates.make_certificate(tmp_path)
    files = (str(certificate.certificate), str(certificate.key)) if tls else None
    with run_in_background(tls=files) as clever:
        assert clever.url.startswith("https://" if tls else "http://")

        def status(host: str) -> int:
            trust = str(certificate.certificate)
            return send_request(f"{clever.url}/", headers={"Host": host}, verify=trust).status_code

        for name in ("clever.com", "api.clever.com:443"):
            assert status(name) == (200 if tls else 400)
        assert status("localhost") == 200
        for name in ("evil.clever.com", "clever.com.evil.test", "xclever.com", APP_HOST):
            assert status(name) == 400


def test_the_simulators_cookie_is_secure_only_over_tls(tmp_path: Path) -> None:
    certificate = certificates.make_certificate(tmp_path)
    for files in ((str(certificate.certificate), str(certificate.key)), None):
        with run_in_background(tls=files) as clever:
            portal = f"{clever.url}/in/{clever.people.districts[0].shortname}"
            cookie = send_request(portal, verify=str(certificate.certificate)).headers["Set-Cookie"]
            assert ("; Secure" in cookie) == bool(files)


def test_a_silent_client_does_not_block_the_simulators_tls_port(tmp_path: Path) -> None:
    certificate = certificates.make_certificate(tmp_path)
    with run_in_background(tls=(str(certificate.certificate), str(certificate.key))) as clever:
        address = ("127.0.0.1", int(clever.url.rpartition(":")[2]))
        with socket.create_connection(address):
            assert (
                send_request(f"{clever.url}/", verify=str(certificate.certificate)).status_code
                == 200
            )


@pytest.mark.parametrize(
    ("certificate", "key"),
    [("none.pem", "key.pem"), ("certificate.pem", "none.pem"), ("key.pem", "key.pem"), (".", ".")],
)
def test_an_invalid_certificate_file_ends_the_simulator_with_one_sentence(
    tmp_path: Path, certificate: str, key: str
) -> None:
    certificates.make_certificate(tmp_path)
    result = start_simulator("--cert", str(tmp_path / certificate), "--key", str(tmp_path / key))
    assert (result.returncode, result.stdout) == (1, "")
    (sentence,) = result.stderr.splitlines()
    assert str(tmp_path / certificate) in sentence or str(tmp_path / key) in sentence


@pytest.mark.parametrize("option", ["--cert", "--key"])
def test_a_certificate_option_without_a_key_is_a_usage_error(option: str) -> None:
    result = start_simulator(option, "a file")
    assert result.returncode == 2
    assert "give both --cert and --key" in result.stderr


def start_simulator(*options: str) -> subprocess.CompletedProcess[str]:
    """Start a simulator that is expected to exit."""
    command = [sys.executable, "-m", "clever_simulator", "--port", "0", *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=20
    )
