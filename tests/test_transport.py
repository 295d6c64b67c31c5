"""The one way out: one pool, kept alive, in parallel, without memory of anyone."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import SiteMaker
from tests.entries import by_button, by_portal, to_the_callback
from tests.sites import Site


class CountingProxy:
    """Passes bytes on, and counts the connections that were opened to it."""

    def __init__(self) -> None:
        self.connections = 0

    @contextmanager
    def before(self, target: str) -> Iterator[str]:
        """Stand before the server at this address; yields the address to use instead."""
        host, port = target.removeprefix("http://").split(":")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            accepting = threading.Thread(
                target=self._accept, args=(listener, (host, int(port))), daemon=True
            )
            accepting.start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()

    def _accept(self, listener: socket.socket, target: tuple[str, int]) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(target)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one side has gone
    finally:
        source.close()


def test_twenty_logins_share_a_few_kept_alive_connections(make_site: SiteMaker) -> None:
    proxy = CountingProxy()
    site = make_site(between=proxy.before)
    visitor = by_button(site, "student")
    for _ in range(20):
        assert visitor.open("/login").path == "/dashboard"
    assert 1 <= proxy.connections <= 3


def test_user_and_district_are_asked_for_at_the_same_time(site: Site) -> None:
    visitor = to_the_callback(site, "district_admin")
    site.clever.fault("user", delay_s=1.5)
    site.clever.fault("district", delay_s=1.5)
    visitor.open(visitor.url)
    seen = [each for each in site.clever.journal() if each["path"].startswith("/v3.0/")]
    starts = sorted(each["time"] for each in seen if "/me" not in each["path"])
    assert len(starts) == 2
    assert starts[0][:17] == starts[1][:17]
    assert abs(float(starts[0][17:23]) - float(starts[1][17:23])) < 1


def test_a_cookie_that_clever_sets_for_one_person_is_never_sent_for_another(
    make_site: SiteMaker,
) -> None:
    site = make_site()
    person = site.person("student")
    body = {"type": "user", "data": {"id": person.id, "district": person.district.id}}
    for endpoint in ("me", "district", "school"):
        site.clever.fault(endpoint, headers={"Set-Cookie": "ada=1; Path=/"}, body=json.dumps(body))
    by_button(site, "student")
    assert site.app is not None
    session = site.app.extensions["clever_login"].transport._session
    assert len(session.cookies) == 0


def test_a_redirect_is_not_followed(site: Site) -> None:
    site.clever.fault("me", status=302, headers={"Location": f"{site.clever.url}/v3.0/elsewhere"})
    assert by_portal(site, "student").code == "clever_unexpected"
    assert "/v3.0/elsewhere" not in [each["path"] for each in site.clever.journal()]


def test_an_answer_larger_than_a_megabyte_is_not_read_to_its_end(site: Site) -> None:
    site.clever.fault("me", body="x" * 3_000_000)
    assert by_portal(site, "student").code == "clever_unexpected"


def test_netrc_and_proxies_of_whoever_started_the_app_change_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setitem(os.environ, "NETRC", str(netrc))
    monkeypatch.setitem(os.environ, "HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setitem(os.environ, "http_proxy", "http://127.0.0.1:9")
    assert by_portal(site, "student").path == "/dashboard"
