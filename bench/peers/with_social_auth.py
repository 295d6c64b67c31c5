"""social-auth-core's Clever backend in Django: sessions in Redis, users in PostgreSQL."""

from __future__ import annotations

import os
import secrets
from urllib.parse import urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from bench.fake_clever import responses

POSTGRES = urlsplit(os.environ["BENCH_POSTGRES"])

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
        "social_django",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    AUTHENTICATION_BACKENDS=["bench.peers.clever_elsewhere.Clever"],
    LOGIN_REDIRECT_URL="/dashboard",
    SOCIAL_AUTH_CLEVER_KEY=responses.CLIENT_ID,
    SOCIAL_AUTH_CLEVER_SECRET=responses.CLIENT_SECRET,
)
application = get_wsgi_application()


def dashboard(request: HttpRequest) -> HttpResponse:
    """Returns the user's page."""
    if not request.user.is_authenticated:
        return HttpResponse(status=403)
    return HttpResponse(f"<h1>Hello {request.user.first_name}</h1>")


def hello(_request: HttpRequest) -> HttpResponse:
    """Returns a public page."""
    return HttpResponse("hello")


urlpatterns = [
    path("social/", include("social_django.urls", namespace="social")),
    path("dashboard", dashboard),
    path("healthz", hello),
]
