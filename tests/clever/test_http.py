"""Tests the HTTP client for Clever: one pool of persistent connections, without cookies."""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from clever_login.clever.deadlines import Deadline
from clever_login.clever.http import HttpClient
from clever_login.clever.oauth import exchange_code
from clever_login.errors import CleverUnavailable
from clever_simulator.config import Config, default_config
from tests.conftest import SiteMaker
from tests.support import certificates
from tests.support.certificates import Certificate
from tests.support.login_flows import by_button, by_portal, stop_before_callback
from tests.support.running_app import Site


class CountingProxy:
    """Forwards bytes, counts its connections, and records the requests.

    With a certificate it is reached by https.
    """

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.connections = 0
        self.received = bytearray()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self._tls and certificate:
            self._tls.load_cert_chain(certificate.certificate, certificate.key)

    @contextmanager
    def before(self, target: str) -> Iterator[str]:
        """Run in front of the server at this URL. Yields the URL to use instead."""
        host, port = target.removeprefix("http://").split(":")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            accepting = threading.Thread(
                target=self._accept, args=(listener, (host, int(port))), daemon=True
            )
            accepting.start()
            yield f"http{'s' if self._tls else ''}://127.0.0.1:{listener.getsockname()[1]}"
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()

    def _accept(self, listener: socket.socket, target: tuple[str, int]) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client, target), daemon=True).start()

    def _serve(self, client: socket.socket, target: tuple[str, int]) -> None:
        try:
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
        except OSError:  # a client that does not trust the certificate
            client.close()
            return
        with client, socket.create_connection(target) as server:
            from_server = threading.Thread(target=_pump, args=(server, client), daemon=True)
            from_server.start()
            _pump(client, server, self.received)
            from_server.join()


def _pump(source: socket.socket, sink: socket.socket, copy: bytearray | None = None) -> None:
    with contextlib.suppress(OSError):  # one side has closed the connection
        while data := source.recv(65536):
            if copy is not None:
                copy += data
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_twenty_logins_share_a_few_persistent_connections(make_site: SiteMaker) -> None:
    proxy = CountingProxy()
    site = make_site(between=proxy.before)
    visitor = by_button(site, "student")
    for _ in range(20):
        assert visitor.open("/login").path == "/dashboard"
    assert 1 <= proxy.connections <= 3


def test_the_token_request_has_the_bare_form_content_type_and_a_length(site: Site) -> None:
    """RFC 6749, 4.1.3, and Clever's own words: an explicit Content-Type and Content-Length."""
    callback = urlsplit(stop_before_callback(site, "student").url)
    code, proxy = parse_qs(callback.query)["code"][0], CountingProxy()
    with proxy.before(site.clever.url) as url:
        settings = replace(site.settings, clever_url=url)
        assert exchange_code(settings, HttpClient(), code, Deadline(5)).access_token
    head, _, body = bytes(proxy.received).decode("ascii").partition("\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    assert head.startswith("POST /oauth/tokens HTTP/1.1\r\n")
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["Accept"] == "application/json"
    assert int(headers["Content-Length"]) == len(body)
    assert parse_qs(body, strict_parsing=True) == {
        "grant_type": ["authorization_code"],
        "code": [code],
        "redirect_uri": [settings.redirect_uri],
    }


@pytest.mark.parametrize("bare", [True, False])
def test_a_login_works_whether_or_not_clever_accepts_a_charset(site: Site, *, bare: bool) -> None:
    (app, *_) = default_config(site.url).apps
    site.clever.configure(Config(apps=(replace(app, bare_content_type=bare),)))
    assert by_button(site, "student").path == "/dashboard"


@pytest.mark.parametrize("sends_it", [True, False])
def test_a_login_works_whether_or_not_clever_names_the_type_of_a_token(
    site: Site, *, sends_it: bool
) -> None:
    (app, *_) = default_config(site.url).apps
    site.clever.configure(Config(apps=(replace(app, sends_token_type=sends_it),)))
    assert by_button(site, "student").path == "/dashboard"


def test_user_and_district_are_requested_concurrently(site: Site) -> None:
    visitor = stop_before_callback(site, "district_admin")
    site.clever.add_fault("user", delay_s=1.5)
    site.clever.add_fault("district", delay_s=1.5)
    visitor.open(visitor.url)
    starts = [
        datetime.fromisoformat(request["time"])
        for request in site.clever.received_requests()
        if request["path"].startswith(("/v3.0/users", "/v3.0/districts"))
    ]
    assert len(starts) == 2
    assert abs((starts[0] - starts[1]).total_seconds()) < 1


def test_a_cookie_that_clever_sets_is_never_sent_for_another_person(
    make_site: SiteMaker,
) -> None:
    proxy = CountingProxy()
    site = make_site(between=proxy.before)
    for endpoint in ("me", "user", "district", "school"):
        site.clever.add_fault(endpoint, status=503, headers={"Set-Cookie": "ada=1; Path=/"})
    for _ in range(4):  # each fault affects one login
        visitor = by_button(site, "teacher")
    assert visitor.role == "teacher"
    assert b"authorization: bearer il" in bytes(proxy.received).lower()
    assert b"cookie" not in bytes(proxy.received).lower()


class FixedServer:
    """A server that answers every request with the same bytes, and counts those that were read."""

    def __init__(self, head: str, body: bytes = b"") -> None:
        self._head = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode("latin-1")
        self._body = body
        self.taken = 0

    @contextmanager
    def before(self, _target: str) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            listener.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, contextlib.suppress(OSError):
                    client.recv(65536)
                    client.sendall(self._head)
                    for start in range(0, len(self._body), 65536):
                        client.sendall(self._body[start : start + 65536])
                        self.taken += 65536


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:9/", "http://[", "//[::", "\xff\xfe", "", "http://a b/%"]
)
def test_a_redirect_is_neither_followed_nor_read(make_site: SiteMaker, location: str) -> None:
    clever = FixedServer(f"HTTP/1.1 302 Found\r\nLocation: {location}", b"x" * 1000)
    assert by_portal(make_site(between=clever.before), "student").code == "clever_unexpected"


@pytest.mark.parametrize("status", ["200 OK", "302 Found\r\nLocation: /", "404 Not Found"])
def test_an_endless_body_is_cut_off(make_site: SiteMaker, status: str) -> None:
    clever = FixedServer(f"HTTP/1.1 {status}", b" " * 50_000_000)
    visitor = by_portal(make_site(between=clever.before), "student")
    assert visitor.code == "clever_unexpected"
    assert clever.taken < 20_000_000  # one megabyte, plus data in transit


def test_a_decompression_bomb_is_cut_off(make_site: SiteMaker) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    clever = FixedServer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip", bomb)
    assert by_portal(make_site(between=clever.before), "student").code == "clever_unexpected"


def test_netrc_and_proxy_variables_are_ignored(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setitem(os.environ, "NETRC", str(netrc))
    monkeypatch.setitem(os.environ, "HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setitem(os.environ, "http_proxy", "http://127.0.0.1:9")
    assert by_portal(site, "student").path == "/dashboard"


def test_certificates_are_verified_against_the_configured_ca_bundle(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    certificate = certificates.make_certificate(tmp_path)
    between = CountingProxy(certificate).before
    assert by_button(make_site(between=between), "student").code == "clever_unavailable"
    trusting = make_site(between=between, clever_ca_bundle=str(certificate.certificate))
    assert by_button(trusting, "student").path == "/dashboard"


def test_a_certificate_for_another_host_name_is_refused(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    certificate = certificates.make_certificate(tmp_path, address="127.0.0.2")
    between = CountingProxy(certificate).before
    site = make_site(between=between, clever_ca_bundle=str(certificate.certificate))
    assert by_button(site, "student").code == "clever_unavailable"


def test_the_ca_bundle_is_read_once_for_all_connections(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    certificate = certificates.make_certificate(tmp_path)
    proxy = CountingProxy(certificate)
    site = make_site(between=proxy.before, clever_ca_bundle=str(certificate.certificate))
    assert by_button(site, "student").path == "/dashboard"
    certificate.certificate.unlink()
    opened = proxy.connections
    site.clever.add_fault("me", drop="before")  # forces a new connection
    assert by_button(site, "student").path == "/dashboard"
    assert proxy.connections > opened


def test_a_get_on_a_connection_closed_by_clever_is_sent_again_once(site: Site) -> None:
    site.clever.add_fault("me", drop="before")
    assert by_button(site, "student").path == "/dashboard"


def test_a_call_for_which_no_time_is_left_is_not_sent(site: Site) -> None:
    call = requests.Request("GET", f"{site.clever.url}/v3.0/me")
    with pytest.raises(CleverUnavailable):
        HttpClient().send(call, Deadline(0))
    assert site.clever.received_requests() == []


def test_all_unresponsive_addresses_of_a_host_share_a_two_second_limit(
    make_site: SiteMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener's queue is full, so further connections get no answer."""
    site = make_site(clever_api_url="http://127.0.0.2:1")
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        queue = [socket.socket() for _ in range(4)]
        for connection in queue:
            connection.setblocking(False)
            connection.connect_ex(full.getsockname())
        real = socket.getaddrinfo

        def six_addresses(host: str, *args: Any, **kwargs: Any) -> Any:
            if host != "127.0.0.2":
                return real(host, *args, **kwargs)
            return real("127.0.0.1", full.getsockname()[1], type=socket.SOCK_STREAM) * 6

        monkeypatch.setattr(socket, "getaddrinfo", six_addresses)
        visitor = stop_before_callback(site, "student")
        began = time.monotonic()
        assert visitor.open(visitor.url).code == "clever_unavailable"
        assert 1 < time.monotonic() - began < 6
        for connection in queue:
            connection.close()
