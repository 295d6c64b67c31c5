"""Tests static files and pages for slow networks: small responses, and long caching."""

from __future__ import annotations

import gzip
import re
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from flask import Flask, url_for

from clever_login.web import static_files
from clever_login.web.security_headers import COMMON_HEADERS
from tests.conftest import SiteMaker
from tests.support.account_app import make_account_app
from tests.support.login_flows import by_button
from tests.support.running_app import Site

FIRST_VISIT, AFTERWARDS = 30_000, 5_000  # bytes on the wire


def linked_files(site: Site, page: str) -> list[str]:
    """Return the static files to which a page refers."""
    paths = re.findall(r'(?:src|href)="(/static/[^"#]+)', page)
    return sorted({urljoin(site.url, path) for path in paths})


def fetch_compressed(url: str, **options: object) -> tuple[requests.Response, int]:
    """Return a response and the size of its body before decompression."""
    response = requests.get(url, stream=True, timeout=10, **options)  # type: ignore[arg-type] # headers, cookies
    size = len(response.raw.read(decode_content=False))
    return response, size


def test_a_static_file_is_named_by_its_content_and_cached_forever(site: Site) -> None:
    page = requests.get(site.url, timeout=10).text
    files = linked_files(site, page)
    assert any("/static/style." in url for url in files)
    for url in files:
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", url), f"{url} has no hash"
        response, _ = fetch_compressed(url)
        assert response.status_code == 200
        assert "immutable" in response.headers["Cache-Control"]
        assert "max-age=315360000" in response.headers["Cache-Control"]


def test_a_static_file_under_its_plain_name_is_revalidated(site: Site) -> None:
    response, _ = fetch_compressed(f"{site.url}/static/style.css")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-cache"
    repeated = requests.get(
        response.url, headers={"If-None-Match": response.headers["ETag"]}, timeout=10
    )
    assert repeated.status_code == 304


def test_static_files_do_not_depend_on_a_folder_that_can_be_cleaned(
    make_site: SiteMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    site = make_site()
    page = requests.get(site.url, timeout=10).text
    assert list(folder.iterdir()) == []
    for url in linked_files(site, page):
        assert requests.get(url, timeout=10).status_code == 200


def static_app(folder: Path, **contents: bytes) -> Flask:
    """Return an app that serves these files of its static folder from memory."""
    for name, content in contents.items():
        Path(folder, name.replace("_", ".")).write_bytes(content)
    app = Flask(__name__, static_folder=folder, static_url_path="/static")
    app.extensions["clever_login_security_headers"] = COMMON_HEADERS
    static_files.add_library_files(app)
    static_files.init_app(app, None)  # type: ignore[arg-type] # the settings are not used
    return app


def test_a_static_file_is_served_after_its_folder_is_deleted(tmp_path: Path) -> None:
    """As in a deployment that replaces the files of a running app."""
    text = b"let a = 1;\n" * 100
    app = static_app(tmp_path, page_js=text)
    with app.test_request_context():
        url = url_for("static", filename="page.js")
    shutil.rmtree(tmp_path)
    client = app.test_client()
    assert client.get(url).data == text
    packed = client.get(url, headers={"Accept-Encoding": "gzip"})
    assert (packed.headers["Content-Encoding"], gzip.decompress(packed.data)) == ("gzip", text)
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert client.get(url).headers["Vary"] == "Accept-Encoding"
    etag = client.get(url).headers["ETag"]
    assert etag != packed.headers["ETag"]
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
    part = client.get(url, headers={"Range": "bytes=0-4"})
    assert (part.status_code, part.data) == (206, text[:5])
    head = client.head(url)
    assert (head.headers["Content-Length"], head.data) == (str(len(text)), b"")
    assert client.post(url).status_code == 405


def test_the_largest_static_files_are_not_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_files, "MAX_BYTES_IN_MEMORY", 100_000)
    app = static_app(tmp_path, small_css=b"a {}", film_mp4=b"\0" * 100_001)
    with app.test_request_context():
        assert re.fullmatch(r"/static/small\.\w{12}\.css", url_for("static", filename="small.css"))
        film = url_for("static", filename="film.mp4")
    assert film == "/static/film.mp4"
    with app.test_client().get(film) as response:
        assert len(response.data) == 100_001
        assert response.headers["Cache-Control"] == "no-cache"


def test_static_files_have_security_headers_and_set_no_cookie(site: Site) -> None:
    page = requests.get(site.url, timeout=10)
    stylesheets = [url for url in linked_files(site, page.text) if ".css" in url]
    assert len(stylesheets) == 2  # the library's and the app's
    expected = {
        **COMMON_HEADERS,
        "Content-Security-Policy": page.headers["Content-Security-Policy"],
    }
    for url in stylesheets:
        response = requests.get(url, timeout=10)
        assert {name: response.headers.get(name) for name in expected} == expected
        assert "Set-Cookie" not in response.headers
        assert "Access-Control-Allow-Origin" not in response.headers
        assert "Cookie" not in response.headers.get("Vary", "")


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_responses_are_compressed_only_for_clients_that_accept_gzip(
    site: Site, encoding: str
) -> None:
    student = by_button(site, "student")
    cookies = student.http.cookies
    packed = encoding == "gzip"
    for url in (f"{site.url}/dashboard", *linked_files(site, str(student.page))):
        response, size = fetch_compressed(
            url, headers={"Accept-Encoding": encoding}, cookies=cookies
        )
        assert response.status_code == 200
        assert int(response.headers["Content-Length"]) == size
        if "/static/" not in url:
            assert "Accept-Encoding" in response.headers["Vary"]
        if not packed:
            assert "Content-Encoding" not in response.headers
        elif size > 1000:
            assert response.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("person", [None, "student", "teacher", "school_admin", "district_admin"])
def test_a_first_visit_stays_under_30_kb_and_the_next_under_5_kb(
    site: Site, person: str | None
) -> None:
    visitor = by_button(site, person) if person else site.visitor()
    cookies = visitor.http.cookies
    url = f"{site.url}/dashboard" if person else site.url
    response, page = fetch_compressed(url, cookies=cookies)
    html = requests.get(url, cookies=cookies, timeout=10).text
    files = sum(fetch_compressed(file_url)[1] for file_url in linked_files(site, html))
    assert response.status_code == 200
    assert page + files <= FIRST_VISIT
    assert page <= AFTERWARDS


def test_a_page_that_repeats_another_sites_input_is_not_compressed(make_site: SiteMaker) -> None:
    """When compressed, a guess that is on the page is smaller than a wrong one (BREACH)."""
    site = make_account_app(make_site, None, ask_preferred_name=True)
    student = by_button(site, "student")
    name = site.person("student").name.last

    def sizes(fetch_site: str) -> list[int]:
        headers = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": fetch_site}
        paths = [f"/preferred-name?next=/{name * 8}", f"/preferred-name?next=/{name[::-1] * 8}"]
        options = {"headers": headers, "cookies": student.http.cookies}
        return [fetch_compressed(site.url + request, **options)[1] for request in paths]

    for fetch_site in ("cross-site", "same-site"):
        right_guess, wrong_guess = sizes(fetch_site)
        assert right_guess == wrong_guess
    assert max(sizes("same-origin")) < right_guess / 2  # the app's own links stay compressed
