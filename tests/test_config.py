"""Tests the settings: read from the environment, checked at startup, all errors in one message."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from clever_login.config import Settings, SettingsError, load_settings
from tests.support.running_app import ROOT

SECRET = "6f1d0c9be2a84735a1f0d7c6b5e49382"
OLD = "0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d"
PRODUCTION = {
    "SECRET_KEY": SECRET,
    "APP_URL": "https://reading.example.org",
    "CLEVER_CLIENT_ID": "abc",
    "CLEVER_CLIENT_SECRET": "def",
}
DEVELOPMENT = PRODUCTION | {"APP_ENV": "development"}

# Every setting that is a number, with its smallest and its largest value.
NUMBERS = {
    "DATABASE_CONNECTIONS": (1, 100),
    "DATABASE_MAX_CONNECTIONS": (6, 10_000),
    "RETENTION_DAYS": (1, 3650),
    "REDIS_CONNECTIONS": (1, 100),
    "REDIS_MAX_CONNECTIONS": (6, 10_000),
    "SESSION_IDLE_MINUTES": (1, 24 * 60),
    "CLEVER_FULL_READ_DAYS": (1, 30),
    "SESSION_MAX_HOURS": (1, 24),
    "TRUSTED_PROXIES": (0, 10),
    "WEB_CONCURRENCY": (1, 1000),
    "PORT": (1, 65535),
}


def settings_faults(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as error:
        load_settings(environ)
    return str(error.value)


def test_four_variables_are_enough_for_production() -> None:
    settings = load_settings(PRODUCTION)
    assert settings.app_env == "production"
    assert settings.redirect_uri == "https://reading.example.org/oauth/callback"
    assert settings.clever_url == "https://clever.com"
    assert settings.clever_api_version == "v3.0"


def test_all_settings_errors_are_in_one_message() -> None:
    message = settings_faults({"CLEVER_API_VERSION": "v9", "PORT": "many", "REDIS_URL": "http://x"})
    for name in ("SECRET_KEY", "APP_URL", "CLEVER_CLIENT_ID", "CLEVER_CLIENT_SECRET"):
        assert f"{name} is missing" in message
    for name in ("CLEVER_API_VERSION", "PORT", "REDIS_URL"):
        assert name in message


@pytest.mark.filterwarnings("ignore:.*_CONNECTIONS is deprecated:DeprecationWarning")
def test_every_number_is_accepted_at_its_limits_and_refused_beyond_them() -> None:
    types = {"int", "int | None"}
    assert {field.name.upper() for field in fields(Settings) if field.type in types} == {*NUMBERS}
    for name, (smallest, largest) in NUMBERS.items():
        for value in (smallest, largest):
            settings = load_settings(PRODUCTION | {name: str(value)})
            assert getattr(settings, name.lower()) == value
        for value in (smallest - 1, largest + 1):
            fault = settings_faults(PRODUCTION | {name: str(value)})
            assert f"{name} is '{value}'" in fault
            assert f"from {smallest} to {largest}" in fault


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 64),
        ("SECRET_KEY", "change-me-change-me-change-me-0123456789"),
        ("APP_URL", "http://reading.example.org"),
        ("APP_URL", "https://reading.example.org/path"),
        ("APP_URL", "reading.example.org"),
        ("APP_URL", "https://user@reading.example.org"),
        ("FLASK_DEBUG", "1"),
        ("CLEVER_URL", "http://clever.com"),
        ("CLEVER_URL", "https://clever.com.evil.test"),
        ("CLEVER_URL", "https://notclever.com"),
        ("CLEVER_URL", "http://127.0.0.1:3001"),
        ("CLEVER_API_URL", "https://api.clever.com/v3.0"),
        ("CLEVER_CA_BUNDLE", "/no/such/file"),
        ("CLEVER_DISTRICT_ID", "../x"),
        ("CLEVER_DISTRICT_IDS", " , "),
        ("CLEVER_REMOVAL_LIMITS", "0"),
        ("CLEVER_REMOVAL_LIMITS", "101"),
        ("CLEVER_REMOVAL_LIMITS", "10%"),
        ("CLEVER_REMOVAL_LIMITS", "10, not an id=40"),
        ("SYNC_BUTTON", "maybe"),
        ("SUPPORT_EMAIL", "help"),
        ("SUPPORT_EMAIL", "help@example.org?cc=x@evil.test"),
        ("SUPPORT_EMAIL", "Help <help@example.org>"),
        ("SUPPORT_URL", "javascript:alert(1)"),
        ("REDIS_TLS_VERIFY", "maybe"),
        ("REDIS_MAX_CONNECTIONS", "unlimited"),
        ("APP_ENV", "staging"),
        ("SECRET_KEY_FALLBACKS", "a"),
        ("CLEVER_URL", "https://evil.test\\.clever.com"),
        ("CLEVER_URL", "https://evil.test .clever.com"),
        ("CLEVER_API_URL", "https://evil.test#.clever.com"),
        ("APP_URL", "https://a b"),
        ("APP_URL", "https://."),
        ("APP_URL", "https://host:99999"),
        ("REDIS_URL", "redis://localhost:abc/0"),
        ("REDIS_URL", "redis://localhost/0?ssl_cert_reqs=none"),
        ("REDIS_URL", "redis://[::1"),
    ],
)
def test_production_refuses_unsafe_settings(name: str, value: str) -> None:
    assert name in settings_faults(PRODUCTION | {name: value})


@pytest.mark.parametrize("url", ["https://clever.com:8443", "https://sandbox.clever.com"])
def test_production_accepts_any_port_and_any_host_under_clever_com(url: str) -> None:
    assert load_settings(PRODUCTION | {"CLEVER_URL": url}).clever_url == url


@pytest.mark.parametrize(
    ("value", "sent_by_browsers"),
    [
        ("https://Reading.Example.org/", "https://reading.example.org"),
        ("https://reading.example.org:443", "https://reading.example.org"),
        ("https://reading.example.org:8443", "https://reading.example.org:8443"),
    ],
)
def test_app_url_is_normalized_as_browsers_send_it(value: str, sent_by_browsers: str) -> None:
    assert load_settings(PRODUCTION | {"APP_URL": value}).app_url == sent_by_browsers


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0",
        "rediss://:p%40ss@ec2-1-2-3-4.compute.example:27150",
        "redis://red-abc:6379",
        "unix:///run/redis.sock",
    ],
)
def test_redis_urls_of_common_hosts_are_accepted(url: str) -> None:
    assert load_settings(PRODUCTION | {"REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("postgres://user:password@host:5432/name", True),
        ("postgresql://host/name?sslmode=require", True),
        ("sqlite:///school.sqlite3", True),
        ("sqlite:////srv/app data/school.sqlite3", True),
        ("sqlite://", False),
        ("sqlite:///", False),
        ("sqlite:///:memory:", False),
        ("sqlite:////srv/", False),
        ("sqlite:///school.sqlite3?mode=memory", False),
        ("mysql://host/name", False),
        ("school.sqlite3", False),
    ],
)
def test_a_database_url_names_postgresql_or_a_sqlite_file(url: str, accepted: bool) -> None:
    environ = PRODUCTION | {"DATABASE_URL": url}
    if accepted:
        assert load_settings(environ).database_url == url
    else:
        with pytest.raises(SettingsError, match=r"DATABASE_URL must look like postgresql://.* or"):
            load_settings(environ)


def test_an_empty_status_url_turns_the_status_page_off() -> None:
    assert load_settings(PRODUCTION).clever_status_url == "https://status.clever.com"
    assert load_settings(PRODUCTION | {"CLEVER_STATUS_URL": ""}).clever_status_url is None


def test_development_accepts_the_simulators_url() -> None:
    settings = load_settings(DEVELOPMENT | {"CLEVER_URL": "http://127.0.0.1:3001"})
    assert settings.clever_url == "http://127.0.0.1:3001"


def test_secrets_are_not_in_the_repr() -> None:
    representation = repr(
        load_settings(
            PRODUCTION | {"REDIS_URL": "redis://:hunter2@h/0", "SECRET_KEY_FALLBACKS": OLD}
        )
    )
    for secret in (SECRET, "def", "hunter2", OLD):
        assert f"'{secret}'" not in representation
        assert "hunter2" not in representation


def test_the_sample_environment_is_refused_in_production() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    sample = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    message = settings_faults(sample | {"APP_ENV": "production"})
    assert "SECRET_KEY" in message


def test_wrong_settings_stop_the_start_with_their_errors_and_no_traceback(
    tmp_path: Path,
) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [
        sys.executable,
        "-c",
        "from tests.support.reference_app import app; app.create_app()",
    ]
    result = subprocess.run(
        command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 3
    assert "SECRET_KEY is missing" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("value", "of_district", "of_others"),
    [("", 10, 10), ("20", 20, 20), ("d1=40", 40, 10), ("20, d1=100", 100, 20)],
)
def test_removal_limits_are_for_all_districts_or_for_one(
    value: str, of_district: int, of_others: int
) -> None:
    settings = load_settings(PRODUCTION | {"CLEVER_REMOVAL_LIMITS": value})
    assert settings.removal_limit("d1") == of_district
    assert settings.removal_limit("d2") == of_others


@pytest.mark.parametrize(
    ("limit", "workers", "share"),
    [(20, 2, 4), (20, 1, 9), (20, 4, 2), (20, 8, 2), (40, 2, 9), (100, 4, 12), (6, 1, 2)],
)
def test_a_worker_gets_its_part_of_the_connections_of_a_machine(
    limit: int, workers: int, share: int
) -> None:
    """Twice as many workers during a deploy, and two commands, fit into the limit."""
    environ = {"WEB_CONCURRENCY": str(workers)}
    environ |= {f"{name}_MAX_CONNECTIONS": str(limit) for name in ("DATABASE", "REDIS")}
    settings = load_settings(PRODUCTION | environ)
    assert settings.worker_database_connections == share
    assert settings.worker_redis_connections == share
    assert 2 * workers * share + 2 <= limit or share == 2


@pytest.mark.parametrize("name", ["DATABASE", "REDIS"])
def test_a_former_setting_for_each_worker_still_works_and_names_its_successor(name: str) -> None:
    says = rf"{name}_CONNECTIONS is deprecated\. .* set {name}_MAX_CONNECTIONS"
    with pytest.warns(DeprecationWarning, match=says):
        settings = load_settings(PRODUCTION | {f"{name}_CONNECTIONS": "7"})
    own = (settings.worker_database_connections, settings.worker_redis_connections)
    assert own == ((7, 4) if name == "DATABASE" else (4, 7))


@pytest.mark.parametrize("url", [None, "sqlite:///school.sqlite3"])
def test_a_release_role_needs_postgresql(url: str | None) -> None:
    environ = PRODUCTION | {"RELEASE_DATABASE_URL": "postgresql://owner@host/name"}
    with pytest.raises(SettingsError, match="RELEASE_DATABASE_URL needs PostgreSQL"):
        load_settings(environ | ({"DATABASE_URL": url} if url else {}))
