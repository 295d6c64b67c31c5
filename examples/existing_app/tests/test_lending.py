"""Tests of the app, with its CSRF protection on."""

from __future__ import annotations

import hashlib
import hmac
import re

from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import downgrade
from sqlalchemy import inspect, select
from werkzeug.test import TestResponse

from lending.models import User, db

ADA = {"email": "ada@example.org", "password": "difference engine"}


def submit(client: FlaskClient, page: str, to: str = "", **fields: str) -> TestResponse:
    """Submit a form of a page with its CSRF token, and follow the redirect."""
    token = re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', client.get(page).text)[0]
    return client.post(to or page, data={**fields, "csrf_token": token}, follow_redirects=True)


def sign_up(client: FlaskClient) -> TestResponse:
    return submit(client, "/sign-up", name="Ada", **ADA)


def send_signed(client: FlaskClient, body: bytes) -> TestResponse:
    key = str(client.application.config["HOOK_KEY"]).encode()
    headers = {"X-Signature": hmac.new(key, body, hashlib.sha256).hexdigest()}
    return client.post("/hooks/returned", data=body, headers=headers, mimetype="application/json")


def test_visitors_see_what_they_can_borrow(client: FlaskClient) -> None:
    page = client.get("/").text
    assert "Camera" in page
    assert "Log in" in page
    assert "Log out" not in page


def test_users_sign_up_log_out_and_log_in_with_a_password(client: FlaskClient) -> None:
    assert "Ada loans" in sign_up(client).text
    assert "Log in" in submit(client, "/", to="/log-out").text
    assert "Ada loans" in submit(client, "/log-in", **ADA).text


def test_a_wrong_password_and_an_unknown_email_are_refused(client: FlaskClient) -> None:
    sign_up(client)
    submit(client, "/", to="/log-out")
    for change in ({"password": "something else"}, {"email": "bob@example.org"}):
        page = submit(client, "/log-in", **(ADA | change)).text
        assert "The email address or the password is wrong." in page
    assert client.get("/loans").location == "/log-in?next=%2Floans"


def test_a_user_can_sign_up_once(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    loud = ADA | {"email": "ADA@example.org"}
    again = submit(app.test_client(), "/sign-up", name="Eve", **loud)
    assert "This email address has an account." in again.text


def test_a_blocked_user_is_not_logged_in(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    submit(client, "/", to="/log-out")
    with app.app_context():
        db.session.scalars(select(User)).one().blocked = True
        db.session.commit()
    assert "Your account is blocked." in submit(client, "/log-in", **ADA).text
    assert client.get("/loans").status_code == 302


def test_a_login_ends_at_the_page_that_the_user_wanted(client: FlaskClient) -> None:
    sign_up(client)
    submit(client, "/", to="/log-out")
    assert "Borrow: Camera" in submit(client, "/log-in?next=/items/1", **ADA).text
    submit(client, "/", to="/log-out")
    elsewhere = submit(client, "/log-in?next=//evil.example", **ADA)
    assert elsewhere.request.url == "http://localhost/"


def test_an_item_is_lent_to_one_user(app: Flask, client: FlaskClient) -> None:
    sign_up(client)
    page = submit(client, "/items/1", purpose="Science fair", days="7").text
    assert "Camera (Science fair): until" in page
    other = app.test_client()
    submit(other, "/sign-up", name="Bob", **(ADA | {"email": "bob@example.org"}))
    assert "Camera is lent." in submit(other, "/items/1", purpose="Me, too", days="1").text


def test_a_form_says_what_is_missing(client: FlaskClient) -> None:
    sign_up(client)
    page = submit(client, "/items/1", purpose="Science fair", days="365").text
    assert "Number must be between 1 and 14." in page


def test_a_form_without_a_token_is_refused_on_a_page_of_the_app(client: FlaskClient) -> None:
    sign_up(client)
    refused = client.post("/items/1", data={"purpose": "Science fair", "days": "7"})
    assert refused.status_code == 400
    assert "The CSRF token is missing." in refused.text
    assert "Lending Desk" in refused.text


def test_the_drop_box_returns_items_without_a_token(client: FlaskClient) -> None:
    sign_up(client)
    submit(client, "/items/1", purpose="Science fair", days="7")
    assert send_signed(client, b'{"item": 1}').get_json() == {"returned": "Camera"}
    assert "You have borrowed nothing." in client.get("/loans").text
    assert client.post("/hooks/returned", json={"item": 1}).status_code == 403


def test_errors_have_the_page_of_the_app(client: FlaskClient) -> None:
    missing = client.get("/nothing/here")
    assert missing.status_code == 404
    assert "<h1>Not Found</h1>" in missing.text
    assert "Lending Desk" in missing.text


def test_adding_an_item_twice_adds_it_once(app: Flask, client: FlaskClient) -> None:
    app.test_cli_runner().invoke(args=["add-items", "Camera"])
    assert client.get("/").text.count("Camera") == 1


def test_the_migrations_make_the_tables_of_the_models_and_can_be_undone(app: Flask) -> None:
    assert app.test_cli_runner().invoke(args=["db", "check"]).exit_code == 0
    with app.app_context():
        downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
