"""Tests which language a page uses, how a user chooses it, and how long the choice lasts."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bs4 import Tag
from flask import Flask, g
from flask.typing import ResponseReturnValue
from flask_babel import format_date, format_decimal, format_time, ngettext

from clever_login.i18n.catalogs import Catalogs
from clever_login.web.routing import public
from tests.conftest import SiteMaker
from tests.support import certificates
from tests.support.browser_client import Visitor, send_request
from tests.support.fresh_checkout import copy_app, run_copied_app, run_module
from tests.support.login_flows import by_button, stop_before_callback
from tests.support.running_app import Site

HEAD = 'msgid ""\nmsgstr ""\n"Language: {}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'


def page_language(visitor: Visitor) -> str:
    """Return the page's language. Asserts that the header and the HTML agree."""
    html = visitor.page.html
    assert isinstance(html, Tag)
    assert visitor.response.headers["Content-Language"] == html["lang"]
    assert "Accept-Language" in visitor.response.headers["Vary"]
    return str(html["lang"])


def choose_language(visitor: Visitor, label: str) -> Visitor:
    """Click a language link with a Referer header, as a browser does."""
    visitor.http.headers["Referer"] = visitor.url
    return visitor.click(label)


def catalog(folder: Path, language: str, texts: str) -> Path:
    path = folder / language / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    path.write_text(HEAD.format(language) + texts)
    return path


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", "en"),
        ("es", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("es-US,en-US;q=0.9", "es"),
        ("es-419,en;q=0.9", "es"),
        ("ES", "es"),
        ("en-GB,es;q=0.9", "en"),
        ("fr,es;q=0.5,en;q=0.4", "es"),
        ("vi", "en"),
        ("es;q=0", "en"),
        ("*", "en"),
        ("es;q=x, ;;, \x00", "en"),
        ("e" * 5000, "en"),
    ],
)
def test_a_page_uses_the_best_match_of_the_browsers_languages(
    site: Site, accepted: str, expected: str
) -> None:
    assert page_language(site.visitor().open("/", **{"Accept-Language": accepted})) == expected


def test_the_language_menu_shows_each_languages_own_name_on_every_page(site: Site) -> None:
    for visitor in (site.visitor().open("/"), by_button(site, "teacher").open("/nothing-here")):
        links = visitor.page.select(".languages a")
        assert [(link["lang"], link.get_text()) for link in links] == [
            ("en", "English"),
            ("es", "Español"),
        ]
        assert [link["lang"] for link in links if link.has_attr("aria-current")] == ["en"]


def test_switching_the_language_returns_to_the_same_page_and_needs_no_session(site: Site) -> None:
    visitor = choose_language(site.visitor().open("/logged-out?district_id=abc"), "Español")
    assert (page_language(visitor), visitor.path) == ("es", "/logged-out")
    assert visitor.url.endswith("?district_id=abc")
    assert [cookie.name for cookie in visitor.http.cookies] == ["language"]
    assert page_language(choose_language(visitor, "English")) == "en"


def test_the_chosen_language_takes_precedence_over_the_browsers(site: Site) -> None:
    visitor = choose_language(site.visitor().open("/"), "Español")
    assert page_language(visitor.open("/", **{"Accept-Language": "en"})) == "es"


def test_switching_the_language_keeps_an_error_page_and_avoids_post_only_paths(site: Site) -> None:
    visitor = by_button(site, "student")
    assert choose_language(visitor.open("/nothing-here"), "Español").code == "http_404"
    visitor.http.headers["Referer"] = f"{site.url}/logout"
    assert visitor.open("/language/en").path == "/dashboard"


def test_switching_the_language_on_an_error_page_never_exposes_the_code(site: Site) -> None:
    visitor = site.visitor().open("/oauth/callback?state=x&code=canary-of-the-code")
    assert visitor.code == "login_expired"
    assert "canary" not in visitor.response.text
    assert visitor.response.headers["Referrer-Policy"] == "no-referrer"
    assert visitor.click("Español").path == "/"


@pytest.mark.parametrize(
    "referrer", ["https://evil.test/", "{}.evil.test/", "{}//evil.test/", "{}/\\evil.test", "x"]
)
def test_switching_the_language_never_redirects_to_another_site(site: Site, referrer: str) -> None:
    response = send_request(
        f"{site.url}/language/es", headers={"Referer": referrer.format(site.url)}
    )
    assert (response.status_code, response.headers["Location"]) == (303, "/")


def test_an_unknown_language_is_ignored_and_not_stored(site: Site) -> None:
    for name in ("fr", "es%00", "../es", "ES"):
        response = send_request(f"{site.url}/language/{name}")
        assert (response.status_code, "Set-Cookie" in response.headers) == (404, False)
    page = send_request(site.url, headers={"Cookie": "language=../../etc/passwd"})
    assert page.headers["Content-Language"] == "en"


def test_the_language_cookie_has_the_same_security_flags_as_the_others(
    make_site: SiteMaker, tmp_path: Path
) -> None:
    certificate = certificates.make_certificate(tmp_path)
    site = make_site(certificate=certificate)
    response = send_request(f"{site.url}/language/es", verify=str(certificate.certificate))
    cookie = response.headers["Set-Cookie"]
    assert cookie == "__Host-language=es; Secure; HttpOnly; Path=/; SameSite=Lax"


def test_the_language_choice_survives_a_login_and_ends_with_log_out(site: Site) -> None:
    visitor = choose_language(site.visitor().open("/"), "Español")
    stop_before_callback(site, "student", visitor)
    assert page_language(visitor.open(visitor.url)) == "es"
    button = visitor.page.select_one("form[action='/logout'] button")
    assert button is not None
    visitor.press(button.get_text().strip())
    assert (visitor.path, page_language(visitor)) == ("/logged-out", "es")
    assert page_language(visitor.open("/")) == "en"


def test_a_language_chosen_on_the_logged_out_page_is_kept(site: Site) -> None:
    visitor = choose_language(by_button(site, "student").press("Log out"), "Español")
    assert (visitor.path, page_language(visitor)) == ("/logged-out", "es")
    visitor = choose_language(visitor, "English")
    assert (visitor.path, page_language(visitor)) == ("/logged-out", "en")


def test_the_next_person_on_a_shared_computer_starts_with_the_browsers_language(site: Site) -> None:
    visitor = choose_language(by_button(site, "student"), "Español")
    visitor.open(f"{site.clever.url}/in/{site.person('student').district.shortname}")
    visitor.press("Log out")
    stop_before_callback(site, "teacher", visitor)
    assert (page_language(visitor.open(visitor.url)), visitor.role) == ("en", "teacher")


def test_a_framed_page_offers_no_language_menu(site: Site) -> None:
    response = send_request(site.url, headers={"Sec-Fetch-Dest": "iframe", "Accept-Language": "es"})
    assert response.headers["Content-Language"] == "es"
    assert "/language/" not in response.text


def test_adding_a_language_needs_only_a_translation_file(tmp_path: Path) -> None:
    folder = copy_app(tmp_path)
    catalog(folder / "translations", "ar", 'msgid "Language"\nmsgstr "اللغة"\n')
    catalog(folder / "translations", "pt_BR", 'msgid "Language"\nmsgstr "Idioma"\n')
    with run_copied_app(folder, tmp_path / "log") as url:
        visitor = Visitor(url).open("/", **{"Accept-Language": "ar-EG"})
        labels = [link.get_text() for link in visitor.page.select(".languages a")]
        assert labels == ["English", "العربية", "Español", "Português (Brasil)"]
        assert (page_language(visitor), visitor.page.html and visitor.page.html["dir"]) == (
            "ar",
            "rtl",
        )
        assert visitor.page.select_one("[aria-label='اللغة']")
        assert page_language(choose_language(visitor, "Português")) == "pt-BR"
        assert page_language(Visitor(url).open("/", **{"Accept-Language": "pt"})) == "pt-BR"


BROKEN = [
    ("fr", b"msgid Language\n", "cannot be read"),
    ("fr", b"<<<<<<< HEAD\n", "cannot be read"),
    ("fr", 'msgid "Language"\nmsgstr "é"\n'.encode("latin-1"), "cannot be read"),
    ("fr", b'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=n n;\\n"\n', "cannot be"),
    ("fr", b'msgid "Hi, %(name)s"\nmsgstr "Salut, %(nom)s"\n', "line 1: the placeholders differ"),
    ("fr", b'msgid "Hi"\nmsgstr "Salut %"\n', "line 1: the placeholders differ"),
    ("fr", b'msgid "Hi"\nmsgstr "<form action=/role>"\n', "line 1: markup"),
    ("xx", b'msgid "Hi"\nmsgstr "Hi"\n', "translations/xx: Babel knows no language with this name"),
]


@pytest.mark.parametrize(("language", "content", "complaint"), BROKEN)
def test_a_broken_catalog_is_reported_by_the_doctor_and_breaks_no_page(
    make_site: SiteMaker,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    language: str,
    content: bytes,
    complaint: str,
) -> None:
    catalog(tmp_path / "texts", language, "").write_bytes(content)
    catalogs = Catalogs(tmp_path / "texts")
    (fault,) = catalogs.problems()
    assert complaint in fault
    site = make_site(extend=lambda app: app.extensions.update(languages=catalogs))
    for _ in range(2):
        visitor = site.visitor().open("/", **{"Accept-Language": language})
        assert visitor.response.status_code == 200
    log = capfd.readouterr().err
    assert log.count('"broken_language"') == ("cannot be" in complaint)


def test_a_translation_cannot_inject_markup(make_site: SiteMaker, tmp_path: Path) -> None:
    texts = """
        msgid "Need help? Ask your teacher."
        msgstr "<a href=//evil.test>Clever</a>"
        msgid "Language"
        msgstr "\\" hidden x=\\""
    """
    catalog(tmp_path / "texts", "fr", re.sub("^ +", "", texts, flags=re.M))
    catalogs = Catalogs(tmp_path / "texts")
    site = make_site(extend=lambda app: app.extensions.update(languages=catalogs))
    page = site.visitor().open("/", **{"Accept-Language": "fr"}).page
    assert not page.select("[href*=evil], .languages[hidden]")
    assert "Need help? Ask your teacher." in page.get_text()


def test_in_development_the_app_refuses_to_start_with_a_broken_catalog(tmp_path: Path) -> None:
    folder = copy_app(tmp_path)
    catalog(folder / "translations", "fr", "").write_bytes(BROKEN[0][1])
    code, printed = run_module(folder, tmp_path / "log", "flask", "--app", "app", "routes")
    assert code == 3
    assert "translations/fr/LC_MESSAGES/messages.po cannot be read" in printed
    code, printed = run_module(folder, tmp_path / "log", "clever_login.doctor", "--offline")
    assert code == 1
    assert "translations/fr/LC_MESSAGES/messages.po cannot be read" in printed


def test_dates_and_numbers_use_us_formats_in_each_language(make_site: SiteMaker) -> None:
    def format_samples() -> str:
        time = datetime(2026, 9, 1, 16, 5, tzinfo=UTC)
        return f"{format_date(time, 'long')} {format_time(time, 'short')} {format_decimal(12345)}"

    def extend(app: Flask) -> None:
        view = public(lambda: (format_samples(), {"Content-Type": "text/plain; charset=utf-8"}))
        app.add_url_rule("/shown", "shown", view)

    visitor = make_site(extend=extend).visitor()
    english, spanish = (
        "September 1, 2026 4:05 PM 12,345",
        "1 de septiembre de 2026 4:05 p.m. 12,345",
    )
    for language, expected in (("en", english), ("es", spanish)):
        text = visitor.open("/shown", **{"Accept-Language": language}).response.text
        assert text.replace("\u202f", " ").replace("\xa0", " ") == expected
    assert (
        text.replace("\u202f", " ").replace("\xa0", " ")
        == "1 de septiembre de 2026 4:05 p.m. 12,345"
    )


def test_plurals_follow_the_rules_of_the_language(make_site: SiteMaker, tmp_path: Path) -> None:
    path = catalog(tmp_path, "pl", "")
    path.write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || '
        'n%100>14) ? 1 : 2);\\n"\n\n'
        'msgid "%(num)s class"\nmsgid_plural "%(num)s classes"\n'
        'msgstr[0] "%(num)s klasa"\nmsgstr[1] "%(num)s klasy"\nmsgstr[2] "%(num)s klas"\n'
    )

    def extend(app: Flask) -> None:
        def show_counts() -> ResponseReturnValue:
            texts = [
                ngettext("%(num)s class", "%(num)s classes", number) for number in (1, 3, 12, 22)
            ]
            return ", ".join(texts), {"Content-Type": "text/plain"}

        app.extensions["languages"] = Catalogs(tmp_path)
        app.add_url_rule("/shown", "shown", public(show_counts))

    visitor = make_site(extend=extend).visitor()
    assert visitor.open("/shown").response.text == "1 class, 3 classes, 12 classes, 22 classes"
    polish = visitor.open("/shown", **{"Accept-Language": "pl"}).response.text
    assert polish == "1 klasa, 3 klasy, 12 klas, 22 klasy"


def test_an_app_may_store_a_language_and_texts_of_its_own_in_g(make_site: SiteMaker) -> None:
    def extend(app: Flask) -> None:
        @app.before_request
        def store() -> None:
            g.language, g.texts = "the language of a book", ["its", "texts"]

    visitor = make_site(extend=extend).visitor().open("/", **{"Accept-Language": "es"})
    assert page_language(visitor) == "es"
    assert visitor.page.find("a", string="Español", attrs={"aria-current": "true"})


def test_a_language_chosen_on_the_idle_timeout_page_is_kept(
    site: Site,
) -> None:
    visitor = choose_language(site.visitor().open("/"), "Español").open("/away?language=es")
    assert page_language(visitor) == "es"
    assert page_language(visitor.open("/")) == "en"
    visitor = choose_language(visitor.open("/away?language=es"), "English")
    assert (visitor.path, page_language(visitor)) == ("/away", "en")
    assert page_language(choose_language(visitor, "Español").open("/")) == "es"


def test_a_link_can_select_a_language_unless_the_user_has_chosen_one(site: Site) -> None:
    visitor = site.visitor().open("/?language=es")
    assert page_language(visitor) == "es"
    assert page_language(choose_language(visitor, "English")) == "en"
    assert page_language(visitor.open("/?language=es")) == "en"


def test_concurrent_first_requests_all_get_spanish_pages(site: Site) -> None:
    def title(_number: int) -> str:
        return send_request(site.url, headers={"Accept-Language": "es"}).text

    with ThreadPoolExecutor(12) as together:
        assert all("Iniciar sesión con Clever" in text for text in together.map(title, range(12)))
