"""Tests an app that has its own Flask-Babel: it chooses the language of all pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from bs4 import BeautifulSoup
from flask import Flask, render_template_string, request
from flask_babel import Babel, force_locale, format_date, gettext
from werkzeug.test import TestResponse

from clever_login import CleverLogin, parts
from clever_login.testing import sample_settings

AppMaker = Callable[..., Flask]
FAILED_LOGIN = "/clever/oauth/callback?state=unknown&code=unknown"
AS_PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
ENGLISH, SPANISH = "We can't keep you logged in here", "Este navegador no guarda tu sesión"


def catalog(folder: Path, language: str, **texts: str) -> None:
    """Write a compiled catalog, as `pybabel compile` does."""
    messages = Catalog(locale=language)
    for english, translated in texts.items():
        messages.add(english.replace("_", " "), translated)
    path = folder / language / "LC_MESSAGES" / "messages.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, messages)


@pytest.fixture(params=["Babel first", "CleverLogin first"])
def make_app(request: pytest.FixtureRequest, tmp_path: Path) -> AppMaker:
    """Create an app whose query chooses the language. Both orders of the extensions work."""
    is_babel_first = request.param == "Babel first"

    def make(**arguments: object) -> Flask:
        app = Flask("shop", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
        app.secret_key, app.testing = "the key of the shop", True
        app.add_url_rule("/", "home", _home)
        if is_babel_first:
            _add_babel(app, tmp_path / "texts")
        login: dict[str, object] = {"on_login": lambda _: None}
        CleverLogin(app, sample_settings(tmp_path / "instance"), **(login | arguments))  # type: ignore[arg-type]
        if not is_babel_first:
            _add_babel(app, tmp_path / "texts")
        return app

    return make


def _add_babel(app: Flask, folder: Path) -> None:
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(folder)
    Babel(app, locale_selector=lambda: request.args.get("speak", "en"))


def _home() -> str:
    roles = "{{ _('Cart') }}, {{ _('Not translated') }}, {{ clever_login.role_labels['teacher'] }}"
    return render_template_string(roles)


def failed_login(app: Flask, language: str) -> TestResponse:
    """Return the error page of a failed login, for a browser that prefers German."""
    headers = AS_PAGE | {"Accept-Language": "de, en;q=0.5"}
    return app.test_client().get(f"{FAILED_LOGIN}&speak={language}", headers=headers)


def heading_and_languages(response: TestResponse) -> tuple[str, str, str]:
    """Return the heading of a page, and its language in the HTML and in the header."""
    page = BeautifulSoup(response.text, "html5lib")
    assert page.h1 is not None
    assert page.html is not None
    language = response.headers["Content-Language"]
    return page.h1.get_text(), str(page.html["lang"]), language


@pytest.mark.parametrize(
    ("language", "heading", "tag"),
    [("es", SPANISH, "es"), ("es_MX", SPANISH, "es-MX"), ("en", ENGLISH, "en")],
)
def test_the_librarys_pages_follow_the_apps_locale_selector(
    make_app: AppMaker, language: str, heading: str, tag: str
) -> None:
    assert heading_and_languages(failed_login(make_app(), language)) == (heading, tag, tag)


def test_a_language_that_neither_side_has_is_english(make_app: AppMaker) -> None:
    assert heading_and_languages(failed_login(make_app(), "fr")) == (ENGLISH, "en", "en")


def test_the_apps_translations_stay_and_replace_the_librarys(
    make_app: AppMaker, tmp_path: Path
) -> None:
    catalog(
        tmp_path / "texts", "es", Cart="Carrito", **{"We can't keep you logged in here": "Otra vez"}
    )
    catalog(
        tmp_path / "texts",
        "fr",
        Cart="Panier",
        **{"We can't keep you logged in here": "Encore une fois"},
    )
    app = make_app()
    client = app.test_client()
    assert client.get("/?speak=es").text == "Carrito, Not translated, Docente"
    assert client.get("/?speak=fr").text == "Panier, Not translated, Teacher"
    assert client.get("/?speak=en").text == "Cart, Not translated, Teacher"
    assert heading_and_languages(failed_login(app, "es")) == ("Otra vez", "es", "es")
    assert heading_and_languages(failed_login(app, "fr")) == ("Encore une fois", "fr", "fr")


def test_the_language_can_change_within_a_request(make_app: AppMaker, tmp_path: Path) -> None:
    catalog(tmp_path / "texts", "es", Cart="Carrito")
    app = make_app()

    def both() -> str:
        with force_locale("es"):
            spanish = f"{gettext('Cart')} {gettext('Teacher')}"
        return f"{spanish} {gettext('Cart')} {gettext('Teacher')}"

    app.add_url_rule("/both", "both", both)
    assert app.test_client().get("/both").text == "Carrito Docente Cart Teacher"


def test_a_job_has_the_librarys_texts_if_babel_was_first(tmp_path: Path) -> None:
    app = Flask("shop", root_path=str(tmp_path), instance_path=str(tmp_path))
    app.secret_key = "the key of the shop"
    Babel(app)
    CleverLogin(app, sample_settings(tmp_path), on_login=lambda _: None)
    with app.app_context(), force_locale("es"):
        assert gettext("Teacher") == "Docente"


def test_the_apps_own_files_are_not_checked_and_its_folder_is_not_replaced(
    make_app: AppMaker, tmp_path: Path
) -> None:
    """The library reads `.po` files. Those of the app may have markup, and are the app's."""
    catalog(tmp_path / "texts", "es", Cart="Carrito")
    path = tmp_path / "texts" / "es" / "LC_MESSAGES" / "messages.po"
    path.write_text('msgid "Cart"\nmsgstr "<b>Carrito</b>"\n')
    assert make_app().test_client().get("/?speak=es").text.startswith("Carrito,")


def test_languages_and_a_babel_of_the_app_are_refused_together(make_app: AppMaker) -> None:
    """With CleverLogin first, only a request can notice it."""
    with pytest.raises(TypeError, match=r"parts\.Languages.* Flask-Babel"):
        make_app(parts=[parts.Languages()]).test_client().get("/")


def test_dates_stay_in_the_apps_language(make_app: AppMaker) -> None:
    app = make_app()
    app.add_url_rule("/date", "date", lambda: format_date(date(2026, 9, 1), "long"))
    assert app.test_client().get("/date?speak=fr").text == "1 septembre 2026"


def test_error_pages_of_the_whole_app_follow_the_locale_selector(make_app: AppMaker) -> None:
    app = make_app(parts=[parts.ErrorPages()])
    app.context_processor(lambda: {"language": "the shop's own"})
    response = app.test_client().get("/no/such/page?speak=es", headers=AS_PAGE)
    page = BeautifulSoup(response.text, "html5lib")
    assert page.h1 is not None
    assert page.html is not None
    assert (page.h1.get_text(), page.html["lang"]) == ("No encontramos esta página", "es")
