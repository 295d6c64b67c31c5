"""Two clients of Clever that others wrote, in one Django site: only host names are ours.

django-allauth answers under /allauth/, social-auth-core under /social/.
"""

from __future__ import annotations

import secrets
import warnings
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import django
import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import include, path

HOST = "testserver"  # as Django's test client calls it
CLIENT_ID, CLIENT_SECRET = "somebody-elses-app", "their-secret"
CALLBACKS = {
    "allauth": f"http://{HOST}/allauth/clever/login/callback/",
    "social": f"http://{HOST}/social/complete/clever/",
}

urlpatterns: list[Any] = []


def set_up_django() -> None:
    """Sets the site up with an empty database in memory."""
    settings.configure(
        SECRET_KEY=secrets.token_hex(32),
        ALLOWED_HOSTS=[HOST],
        ROOT_URLCONF="tests.support.django_clients",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
            "allauth.socialaccount",
            "allauth.socialaccount.providers.clever",
            "social_django",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
            }
        ],
        AUTHENTICATION_BACKENDS=[
            "allauth.account.auth_backends.AuthenticationBackend",
            "social_core.backends.clever.CleverOAuth2",
        ],
        LOGIN_REDIRECT_URL="/in",
        ACCOUNT_EMAIL_VERIFICATION="none",
        SOCIALACCOUNT_PROVIDERS={
            "clever": {"APP": {"client_id": CLIENT_ID, "secret": CLIENT_SECRET}}
        },
        SOCIAL_AUTH_CLEVER_KEY=CLIENT_ID,
        SOCIAL_AUTH_CLEVER_SECRET=CLIENT_SECRET,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what they import is no matter of ours
        django.setup()
    urlpatterns.extend(
        [
            path("allauth/", include("allauth.urls")),
            path("social/", include("social_django.urls", namespace="social")),
        ]
    )
    call_command("migrate", verbosity=0)


def point_clients_at(clever_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts another host into the addresses that both clients carry, and changes nothing else."""
    # Neither can be imported before Django is set up.
    allauth: Any = import_module("allauth.socialaccount.providers.clever.views").CleverOAuth2Adapter
    social: Any = import_module("social_core.backends.clever").CleverOAuth2

    def here(url: str) -> str:
        return urlsplit(url)._replace(scheme="http", netloc=urlsplit(clever_url).netloc).geturl()

    for name in ("access_token_url", "authorize_url", "identity_url", "user_details_url"):
        monkeypatch.setattr(allauth, name, here(getattr(allauth, name)))
    for name in ("ACCESS_TOKEN_URL", "AUTHORIZATION_URL"):
        monkeypatch.setattr(social, name, here(getattr(social, name)))

    def get_json(self: Any, url: str, *args: Any, **parts: Any) -> Any:
        return super(social, self).get_json(here(url), *args, **parts)

    # The addresses of the API stand in the middle of the code of this one.
    monkeypatch.setattr(social, "get_json", get_json, raising=False)


def clear_database() -> None:
    """Empties the site's database."""
    call_command("flush", verbosity=0, interactive=False)


def logged_in_user(browser: Client) -> Any:
    """Whom the site knows in this browser; KeyError when that is nobody."""
    number = browser.session["_auth_user_id"]
    return import_module("django.contrib.auth").get_user_model().objects.get(pk=number)
