"""Two third-party Clever clients in one Django site. Only the Clever host name is changed.

django-allauth is mounted at /allauth/, social-auth-core at /social/.
"""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import django
import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from tests.support.served_app import serve

HOST = "testserver"  # the host name that Django's test client sends
CLIENT_ID, CLIENT_SECRET = "somebody-elses-app", "their-secret"
SHARED_MEMORY = "file:django_clients?mode=memory&cache=shared"  # for the threads of a server
CALLBACKS = {
    "allauth": f"http://{HOST}/allauth/clever/login/callback/",
    "social": f"http://{HOST}/social/complete/clever/",
}

urlpatterns: list[Any] = []


def set_up_django() -> None:
    """Set up the site with an empty in-memory database, once per process."""
    if settings.configured:
        return
    settings.configure(
        SECRET_KEY=secrets.token_hex(32),
        ALLOWED_HOSTS=[HOST, "localhost"],
        ROOT_URLCONF="tests.support.django_clients",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": SHARED_MEMORY}},
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
            "social_django.middleware.SocialAuthExceptionMiddleware",
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
        SOCIAL_AUTH_LOGIN_ERROR_URL="/in",
        ACCOUNT_EMAIL_VERIFICATION="none",
        SOCIALACCOUNT_LOGIN_ON_GET=True,
        SOCIALACCOUNT_PROVIDERS={
            "clever": {"APP": {"client_id": CLIENT_ID, "secret": CLIENT_SECRET}}
        },
        SOCIAL_AUTH_CLEVER_KEY=CLIENT_ID,
        SOCIAL_AUTH_CLEVER_SECRET=CLIENT_SECRET,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # deprecations in third-party imports
        django.setup()
    urlpatterns.extend(
        [
            path("allauth/", include("allauth.urls")),
            path("social/", include("social_django.urls", namespace="social")),
            path("in", show_user),
            path("out", log_out),
        ]
    )
    call_command("migrate", verbosity=0)


def show_user(request: Any) -> HttpResponse:
    """The page after a login: the user's name."""
    return HttpResponse(request.user.get_full_name() if request.user.is_authenticated else "")


def log_out(request: Any) -> HttpResponse:
    """Log the user out with Django's own function."""
    import_module("django.contrib.auth").logout(request)
    return HttpResponse("")


@contextmanager
def run_site() -> Iterator[str]:
    """Serve the site on a free port, and yield its URL."""
    with serve(WSGIHandler()) as url:
        yield url


def point_clients_at(clever_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the host in the Clever URLs of both clients, and change nothing else."""
    # Neither package can be imported before Django is set up.
    allauth: Any = import_module("allauth.socialaccount.providers.clever.views").CleverOAuth2Adapter
    social: Any = import_module("social_core.backends.clever").CleverOAuth2

    def local_url(url: str) -> str:
        return urlsplit(url)._replace(scheme="http", netloc=urlsplit(clever_url).netloc).geturl()

    for name in ("access_token_url", "authorize_url", "identity_url", "user_details_url"):
        monkeypatch.setattr(allauth, name, local_url(getattr(allauth, name)))
    for name in ("ACCESS_TOKEN_URL", "AUTHORIZATION_URL"):
        monkeypatch.setattr(social, name, local_url(getattr(social, name)))

    def get_json(self: Any, url: str, *args: Any, **parts: Any) -> Any:
        return super(social, self).get_json(local_url(url), *args, **parts)

    # social-auth-core builds the API URLs inline, so its `get_json` is wrapped.
    monkeypatch.setattr(social, "get_json", get_json, raising=False)


def clear_database() -> None:
    """Empty the site's database."""
    call_command("flush", verbosity=0, interactive=False)


def logged_in_user(browser: Client) -> Any:
    """Return the user logged in to the site in this browser. Raises KeyError when there is none."""
    number = browser.session["_auth_user_id"]
    return import_module("django.contrib.auth").get_user_model().objects.get(pk=number)
