"""Tests who may open which view, and the headers of every response."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask, request
from flask.typing import ResponseReturnValue
from jinja2 import DictLoader

from clever_login.auth.permissions import roles_required
from clever_login.clever.models import Role
from clever_login.config import PRODUCTION
from clever_login.errors import LoginError
from clever_login.web.routing import public, safe_next
from tests.conftest import SiteMaker
from tests.support import certificates, page_checks
from tests.support.browser_client import NAVIGATION_HEADERS, send_request
from tests.support.login_flows import by_button
from tests.support.page_source import without_random_values
from tests.support.running_app import Site

PUBLIC = {
    "static",
    "clever_login.again",
    "clever_login.away",
    "clever_login.callback",
    "clever_login.claim",
    "clever_login.end_impersonation",
    "clever_login.healthz",
    "clever_login.language",
    "clever_login.logged_out",
    "clever_login.login",
    "clever_login.logout",
    "clever_login.readyz",
    "clever_login.static",
    "clever_login.session",
    "dashboard.home",
}


def test_only_the_listed_views_are_public(site: Site) -> None:
    assert site.app is not None
    marked = {name for name, view in site.app.view_functions.items() if hasattr(view, "public")}
    assert marked == PUBLIC - {"static"}


def test_every_other_route_requires_a_login(site: Site) -> None:
    assert site.app is not None
    for rule in site.app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            if rule.endpoint in PUBLIC:
                continue
            for headers in (NAVIGATION_HEADERS, {}):
                response = send_request(f"{site.url}{rule.rule}", method, headers=headers)
                assert response.status_code in {302, 400, 401}, rule
                assert "/dashboard" not in response.headers.get("Location", "").partition("?")[0]


def test_an_added_view_requires_a_login_and_can_require_a_role(make_site: SiteMaker) -> None:
    @roles_required(Role.DISTRICT_ADMIN)
    def numbers() -> ResponseReturnValue:
        return "numbers", {"Content-Type": "text/plain"}

    site = make_site(extend=lambda app: app.add_url_rule("/numbers", "numbers", numbers))
    assert site.visitor().open("/numbers").path == "/"
    assert by_button(site, "teacher").open("/numbers").code == "http_403"
    assert by_button(site, "district_admin").open("/numbers").response.text == "numbers"


def test_a_form_of_nobody_is_refused_and_not_redirected(make_site: SiteMaker) -> None:
    def note() -> ResponseReturnValue:
        return "noted"

    def add(app: Flask) -> None:
        app.add_url_rule("/note", "note", note, methods=["POST"])
        app.extensions["csrf"].exempt(note)

    url = f"{make_site(extend=add).url}/note"
    assert send_request(url, "POST", headers={"Accept": "text/html"}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing-here", 404),
        ("POST", "/", 405),
        ("POST", "/role", 400),
        ("DELETE", "/dashboard", 405),
        ("GET", "/logout", 405),
        ("TRACE", "/", 405),
        ("GET", "/.env", 404),
        ("GET", "/.git/config", 404),
        ("GET", "/static/", 404),
        ("GET", "/%00", 404),
    ],
)
def test_error_pages_have_the_same_headers_and_structure(
    site: Site, method: str, path: str, status: int
) -> None:
    response = send_request(f"{site.url}{path}", method, headers=NAVIGATION_HEADERS)
    assert response.status_code == status
    page_checks.check_page(response, app=True)


def test_a_crash_shows_an_error_page_and_its_message_is_not_logged(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    name = "Ada"

    @public
    def crash() -> str:
        raise RuntimeError(f"{name}'s record")

    site = make_site(
        app_env="production", extend=lambda app: app.add_url_rule("/crash", "crash", crash)
    )
    visitor = site.visitor().open("/crash")
    assert (visitor.code, visitor.response.status_code) == ("http_500", 500)
    reference = visitor.page.select_one(".reference")
    log = capfd.readouterr().err
    assert reference is not None
    assert reference.get_text() in log
    assert "test_permissions.py" in log
    assert "Ada" not in log
    assert "Ada" not in without_random_values(visitor.response.text)


def test_cross_site_forms_and_forms_without_a_csrf_token_are_refused(site: Site) -> None:
    visitor = by_button(site, "student")
    token = visitor.page.find("input", attrs={"name": "csrf_token"})
    assert token is not None
    data = {"csrf_token": str(token["value"])}
    post = visitor.http.post
    url = f"{site.url}/logout"
    assert post(url, allow_redirects=False).status_code == 400
    assert post(url, data={"csrf_token": "x"}, allow_redirects=False).status_code == 400
    for headers in (
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert post(url, data=data, headers=headers, allow_redirects=False).status_code == 403
    assert post(url, data=data, allow_redirects=False).status_code == 303


def test_a_request_for_another_host_is_refused_unless_it_is_a_health_probe(site: Site) -> None:
    for host in ("evil.test", "localhost", "localhost:1"):
        response = send_request(site.url, headers=NAVIGATION_HEADERS | {"Host": host})
        page = page_checks.check_page(response, app=True)
        assert response.status_code == 400
        assert "evil" not in without_random_values(response.text)
        button = page.select_one("a.button")
        assert button is not None
        assert button["href"] == f"{site.url}/"
    style = send_request(f"{site.url}/static/style.css", headers={"Host": "evil.test"})
    assert style.status_code == 200
    probe = send_request(f"{site.url}/healthz", headers={"Host": "10.0.0.7"})
    assert (probe.status_code, probe.text) == (200, "ok\n")


def test_the_redirect_uri_is_never_derived_from_the_request(make_site: SiteMaker) -> None:
    site = make_site(trusted_proxies=1)
    response = send_request(
        f"{site.url}/login",
        headers={"X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test"},
    )
    assert "evil" not in response.headers["Location"]


def test_only_the_configured_number_of_proxies_is_trusted(make_site: SiteMaker) -> None:
    @public
    def show_client() -> ResponseReturnValue:
        return f"{request.scheme} {request.remote_addr}", {"Content-Type": "text/plain"}

    def extend(app: Flask) -> None:
        app.add_url_rule("/who", "who", show_client)

    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "6.6.6.6, 10.1.1.1"}
    responses = [
        send_request(f"{make_site(trusted_proxies=n, extend=extend).url}/who", headers=headers).text
        for n in (0, 1)
    ]
    assert responses == ["http 127.0.0.1", "https 10.1.1.1"]


def test_a_request_that_reached_the_proxy_over_http_is_redirected_to_https(
    make_site: SiteMaker,
) -> None:
    site = make_site()
    app_url = site.url.replace("http:", "https:")
    secure = make_site(app_url=app_url, trusted_proxies=1)
    assert secure.app is not None
    client = secure.app.test_client()
    host = {"Host": site.url.removeprefix("http://")}
    http, https = {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "https"}
    led = client.get("/dashboard?a=b", headers=host | http)
    assert (led.status_code, led.headers["Location"]) == (308, f"{app_url}/dashboard?a=b")
    assert client.post("/logout", headers=host | http).status_code == 400
    assert client.get("/", headers=host | https).status_code == 200
    assert client.get("/healthz", headers=http).status_code == 200


@pytest.mark.parametrize(
    ("names", "header"),
    [(False, "max-age=31536000"), (True, "max-age=31536000; includeSubDomains")],
)
def test_hsts_covers_subdomains_only_when_configured_and_is_not_sent_over_http(
    make_site: SiteMaker, names: bool, header: str
) -> None:
    for scheme, expected in (("https", header), ("http", None)):
        site = make_site(app_url=f"{scheme}://localhost", hsts_subdomains=names)
        assert site.app is not None
        response = site.app.test_client().get("/", headers={"Host": "localhost"})
        assert response.headers.get("Strict-Transport-Security") == expected


def test_a_static_fallback_is_sent_when_the_error_page_itself_fails(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    def extend(app: Flask) -> None:
        app.jinja_loader = DictLoader({})

    site = make_site(extend=extend, app_env=PRODUCTION)  # development shows the template error
    response = send_request(site.url, headers=NAVIGATION_HEADERS)
    page = BeautifulSoup(response.text, "html5lib")
    assert response.status_code == 500
    assert "Code: http_500" in page.get_text()
    assert page.find("a", href=f"{site.url}/")
    reference = page.get_text().partition("Reference: ")[2].strip()
    assert reference in capfd.readouterr().err


def test_an_error_raised_by_an_added_view_has_a_page(make_site: SiteMaker) -> None:
    class NoBooksLeft(LoginError):
        code = "no_books_left"

    @public
    def books() -> ResponseReturnValue:
        raise NoBooksLeft

    site = make_site(extend=lambda app: app.add_url_rule("/none-left", "none_left", books))
    visitor = site.visitor().open("/none-left")
    assert (visitor.code, visitor.response.status_code) == ("no_books_left", 400)


def test_over_https_cookies_are_bound_to_the_host_and_hsts_is_sent(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    certificate = certificates.make_certificate(tmp_path)
    site = make_site(certificate=certificate)
    visitor = site.visitor()
    visitor.http.verify = str(certificate.certificate)
    visitor.open("/login").click(site.person("student").district.name)
    visitor.press("Log in", username="student", password="clever")
    assert visitor.path == "/dashboard"
    assert "max-age=31536000" in visitor.response.headers["Strict-Transport-Security"]
    lines = [line for hop in visitor.hops for line in hop.raw.headers.getlist("Set-Cookie")]
    ours = [line for line in lines if line.startswith("__Host-")]
    assert {line.partition("=")[0].partition("-login")[0] for line in ours} == {
        "__Host-session",
        "__Host",
    }
    assert all("; Secure;" in f"{line};" and "Path=/" in line for line in ours)
    assert all("Domain" not in line for line in ours)
    visitor.press("Log out")
    set_cookies = visitor.hops[0].raw.headers.getlist("Set-Cookie")
    assert any(line.startswith("__Host-session=;") and "Secure" in line for line in set_cookies)
    assert visitor.open("/dashboard").path == "/"


@pytest.mark.parametrize("path", ["/", "/dashboard", "/a/b?c=d&e=f", "/a%20b", "/x?next=%2Fy"])
def test_a_path_of_this_app_is_accepted_as_next(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "//evil.test", "///evil.test", "/\\evil.test", "\\/evil.test", "\\\\evil.test", "/\t/evil.test",
        "/\n/evil.test", "/\r\nSet-Cookie: a=b", "https://evil.test", "https:evil.test", "http:/evil.test",
        "javascript:alert(1)", "data:text/html,x", "evil.test", "@evil.test", "/ /evil.test", " /x", "",
        "%2f%2fevil.test", "/%2f%2fevil.test", "/%2F%2Fevil.test", "/%5cevil.test", "/%5C%5Cevil.test",
        "/\u2028x", "/\u3002evil", "/\uff0fevil.test", "/x\x00", "/x\x7f", "/" + "x" * 501, "?x", "#x", ".",
        "..//evil.test", "/\u00e9", "https:///evil.test", "ftp://evil.test", "//user@evil.test", "/\x0b/evil",
        "//evil.test/%2e%2e", "/\\/evil.test", "\t//evil.test",
    ],
)  # fmt: skip
def test_anything_else_is_rejected_as_next(path: str) -> None:
    assert safe_next(path) is None


def test_a_next_that_leads_to_another_site_is_dropped(site: Site) -> None:
    district = site.person("student").district.id
    visitor = site.visitor().open(f"/login?next=//evil.test&district_id={district}")
    visitor.press("Log in", username="student", password="clever")
    assert visitor.url == f"{site.url}/dashboard"
