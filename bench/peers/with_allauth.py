"""django-allauth's Clever provider: sessions in Redis, users in PostgreSQL."""

from __future__ import annotations

import os
import secrets
from urllib.parse import urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from bench.fake_clever import responses

CLEVER, API = os.environ["BENCH_CLEVER"], os.environ["BENCH_API"]
POSTGRES = urlsplit(os.environ["BENCH_POSTGRES"])
APP = {"client_id": responses.CLIENT_ID, "secret": responses.CLIENT_SECRET}

settings.configure(
    SECRET_KEY=secrets.token_hex(32),
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": POSTGRES.path[1:],
            "USER": POSTGRES.username,
            "HOST": POSTGRES.hostname,
            "PORT": POSTGRES.port,
            "CONN_MAX_AGE": None,  # persistent connections, which are not the default
        }
    },
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["BENCH_REDIS"],
        }
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
        "django.contrib.messages",
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.clever",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
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
    AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
    LOGIN_REDIRECT_URL="/dashboard",
    ACCOUNT_EMAIL_VERIFICATION="none",
    SOCIALACCOUNT_PROVIDERS={"clever": {"APP": APP}},
)
application = get_wsgi_application()

from allauth.socialaccount.providers.clever.views import (  # noqa: E402 # needs a configured Django
    CleverOAuth2Adapter,
)

CleverOAuth2Adapter.access_token_url = f"{CLEVER}/oauth/tokens"
CleverOAuth2Adapter.authorize_url = f"{CLEVER}/oauth/authorize"
CleverOAuth2Adapter.identity_url = f"{API}/v3.0/me"
CleverOAuth2Adapter.user_details_url = f"{API}/v3.0/users"


def dashboard(request: HttpRequest) -> HttpResponse:
    """Returns the user's page."""
    if not request.user.is_authenticated:
        return HttpResponse(status=403)
    return HttpResponse(f"<h1>Hello {request.user.first_name}</h1>")


def hello(_request: HttpRequest) -> HttpResponse:
    """Returns a public page."""
    return HttpResponse("hello")


urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("dashboard", dashboard),
    path("healthz", hello),
]
