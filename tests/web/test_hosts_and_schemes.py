"""Tests how requests may write the host and the scheme: in capitals, and with a final dot."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from clever_login import CleverLogin, parts, public
from clever_login.testing import sample_settings

APP_URL = "https://app.example.org"
FURTHER = "Second.Example.Org"


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """A client of an app at APP_URL, behind one proxy, with a second host name."""

    def page() -> str:
        return f"{request.scheme} {request.host}"

    app = Flask(__name__)
    app.add_url_rule("/page", view_func=public(page), methods=["GET", "POST"])
    chosen = (parts.SecurityHeaders(hosts=(FURTHER,)), parts.ClosedByDefault(), parts.ErrorPages())
    settings = sample_settings(tmp_path, app_url=APP_URL, trusted_proxies=1)
    CleverLogin(app, settings, url_prefix="", parts=(parts.Sessions(), *chosen))
    return app.test_client()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("app.example.org", 200),
        ("APP.Example.ORG", 200),
        ("app.example.org:443", 200),
        ("SECOND.example.org", 200),
        ("app.example.org.", 308),
        ("APP.example.org.:443", 308),
        ("second.example.org.", 308),
        ("app.example.org..", 400),
        (".app.example.org", 400),
        ("app.example.org:444", 400),
        ("app.example.org.evil.example", 400),
        ("app.example.org, evil.example", 400),
        ("evil.example", 400),
        ("", 400),
        (".", 400),
    ],
)
def test_a_host_has_no_case_and_may_end_in_a_dot(
    client: FlaskClient, host: str, status: int
) -> None:
    response = client.get("/page?a=b", headers={"Host": host, "X-Forwarded-Proto": "https"})
    name = host.lower().partition(":")[0].rstrip(".")
    assert response.status_code == status
    assert (response.text == f"https {name}") is (status == 200)
    assert response.location == (f"https://{name}/page?a=b" if status == 308 else None)


def test_the_error_page_of_another_host_links_to_the_app(client: FlaskClient) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Proto": "https", "Accept": "text/html"}
    response = client.get("/page", headers=headers)
    assert response.status_code == 400
    assert f'href="{APP_URL}/"' in response.text


def test_a_form_is_not_redirected_to_the_host_without_a_dot(client: FlaskClient) -> None:
    headers = {"Host": "app.example.org.", "X-Forwarded-Proto": "https"}
    assert client.post("/page", headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("scheme", "is_https"),
    [
        ("https", True),
        ("HTTPS", True),
        ("Https", True),
        ("http, HTTPS", True),
        ("http", False),
        ("HTTP", False),
        ("https, http", False),
        ("", False),
        ("ftp", False),
    ],
)
def test_a_scheme_has_no_case(client: FlaskClient, scheme: str, is_https: bool) -> None:
    headers = {"Host": "app.example.org", "X-Forwarded-Proto": scheme}
    response = client.get("/page", headers=headers)
    assert (response.status_code == 200) is is_https
    assert response.location == (None if is_https else f"{APP_URL}/page")
