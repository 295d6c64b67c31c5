"""Tests `flask clever doctor`: every problem is found and stops no other check."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from clever_login.doctor.runner import CHECKS, doctor_command
from clever_login.storage.file_store import FileStore
from clever_simulator.config import default_config
from clever_simulator.server import RunningSimulator, run_in_background
from tests.support import certificates, running_app, session_file
from tests.support.fresh_checkout import copy_app, installed_copy
from tests.support.running_app import ROOT

SECRET = "6f1d0c9be2a84735a1f0d7c6b5e49382"
CLIENT_SECRET = "canary-of-the-client-secret"
URL = "http://localhost:3000"
ONLINE = {check.name for check in CHECKS if check.calls_clever}


class Report:
    """The doctor's --json output and exit code."""

    def __init__(self, output: str, exit_code: int) -> None:
        self.output, self.exit_code = output, exit_code
        body = json.loads(output)
        self.outcome: str = body["outcome"]
        self.checks: list[dict[str, str]] = body["checks"]
        assert exit_code == (1 if self.outcome == "fault" else 0)
        for check in self.checks:
            assert list(check) == ["name", "outcome", "says", "do"]
            assert check["outcome"] in {"ok", "warning", "fault"}
            assert check["outcome"] == "ok" or check["do"], check
            assert check["says"][-1] in '.)"', check

    def assert_finding(self, name: str, outcome: str, *words: str) -> None:
        """Assert that this check has a finding with this outcome and all of these words."""
        checks = [check for check in self.checks if check["name"] == name]
        assert any(
            check["outcome"] == outcome
            and all(word in check["says"] + check["do"] for word in words)
            for check in checks
        ), checks

    def names(self) -> set[str]:
        return {check["name"] for check in self.checks}


def run_doctor(environ: dict[str, str], *arguments: str) -> Report:
    """Run the doctor with exactly this environment."""
    only: dict[str, str | None] = dict.fromkeys(os.environ)
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ended = CliRunner().invoke(
        doctor_command(lambda: ""), ["--json", *arguments], env=only | keep | environ
    )
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.output
    return Report(ended.output, ended.exit_code)


@contextmanager
def running_clever(**tls: Any) -> Iterator[tuple[RunningSimulator, dict[str, str]]]:
    """Run a simulator. Yields it and the environment of a development app that uses it."""
    with run_in_background(**tls) as clever:
        config = default_config(URL)
        apps = [replace(app, client_secret=CLIENT_SECRET) for app in config.apps]
        clever.configure(replace(config, apps=tuple(apps)))
        yield clever, development_variables(clever.url)


def development_variables(clever_url: str) -> dict[str, str]:
    return {
        "APP_ENV": "development",
        "SECRET_KEY": SECRET,
        "APP_URL": URL,
        "CLEVER_CLIENT_ID": "simulator",
        "CLEVER_CLIENT_SECRET": CLIENT_SECRET,
        "CLEVER_URL": clever_url,
        "CLEVER_API_URL": clever_url,
    }


PRODUCTION = {
    "SECRET_KEY": SECRET,
    "APP_URL": "https://reading.example.org",
    "CLEVER_CLIENT_ID": "simulator",
    "CLEVER_CLIENT_SECRET": CLIENT_SECRET,
    "TRUSTED_PROXIES": "1",
}


def test_every_check_passes_with_a_correct_setup() -> None:
    with running_clever() as (_, environ):
        report = run_doctor(environ)
    assert {check["name"] for check in report.checks if check["outcome"] == "ok"} >= {
        check.name for check in CHECKS
    }
    assert report.outcome == "ok"
    report.assert_finding("redirect URI", "ok", f"{URL}/oauth/callback", "first line")
    report.assert_finding("credentials", "ok", "3 districts")
    report.assert_finding("tier", "ok", "Secure Sync")


@pytest.mark.parametrize(
    ("endpoint", "fault", "outcome", "words"),
    [
        ("discovery", {"fields": {"issuer": "{clever}/"}}, "fault", "a trailing slash"),
        ("discovery", {"fields": {"jwks_uri": "https://evil.test/"}}, "fault", "not below"),
        ("discovery", {"fields": {"jwks_uri": None}}, "fault", "no jwks_uri"),
        ("discovery", {"body": "html"}, "fault", "the discovery document is not a JSON object"),
        ("certs", {"fields": {"keys": []}}, "fault", "no usable key"),
        ("certs", {"status": 503}, "warning", "answered 503"),
    ],
)
def test_the_doctor_reads_clevers_keys_if_they_are_needed(
    endpoint: str, fault: dict[str, Any], outcome: str, words: str
) -> None:
    with running_clever() as (clever, environ):
        strict = environ | {"CLEVER_OIDC": "on"}
        run_doctor(strict).assert_finding("OpenID Connect", "ok", "as they must be")
        text = json.dumps(fault).replace("{clever}", clever.url)
        clever.add_fault(endpoint, times=0, **json.loads(text))
        run_doctor(strict).assert_finding("OpenID Connect", outcome, words)
        run_doctor(environ).assert_finding("OpenID Connect", "ok", "CLEVER_OIDC is off")


def test_offline_mode_sends_nothing_to_clever() -> None:
    with running_clever() as (clever, environ):
        report = run_doctor(environ, "--offline")
        assert clever.received_requests() == []
    assert not report.names() & ONLINE
    assert report.outcome == "ok"


def test_the_doctor_works_with_an_empty_environment() -> None:
    report = run_doctor({}, "--offline")
    for name in ("SECRET_KEY", "APP_URL", "CLEVER_CLIENT_ID", "CLEVER_CLIENT_SECRET"):
        report.assert_finding("settings", "fault", f"{name} is missing")
    report.assert_finding("secret key", "warning", "Not checked", "SECRET_KEY")
    report.assert_finding("redirect URI", "warning", "Not checked", "APP_URL")
    report.assert_finding("store", "ok")


def test_a_wrong_setting_skips_only_the_checks_that_need_it() -> None:
    with running_clever() as (_, environ):
        report = run_doctor(environ | {"SECRET_KEY": "", "CLEVER_API_VERSION": "v9"})
    report.assert_finding("settings", "fault", "SECRET_KEY")
    report.assert_finding("API version", "warning", "Not checked")
    report.assert_finding("tier", "warning", "Not checked")
    report.assert_finding("credentials", "ok")


def test_a_weak_fallback_of_the_secret_key_is_a_warning() -> None:
    environ = development_variables("http://localhost:9")
    run_doctor(environ, "--offline").assert_finding("secret key", "ok")
    report = run_doctor(environ | {"SECRET_KEY_FALLBACKS": "weak"}, "--offline")
    report.assert_finding("secret key", "warning", "one of its fallbacks is weak")


def test_the_doctor_handles_a_wrong_setting_that_hides_another_production_rule() -> None:
    report = run_doctor(
        development_variables("http://localhost:9") | {"APP_ENV": "staging"}, "--offline"
    )
    assert [check["outcome"] for check in report.checks if check["name"] == "settings"] == ["fault"]
    report.assert_finding("mode", "warning", "Not checked")


@pytest.mark.parametrize(
    ("changes", "name", "outcome", "words"),
    [
        ({"SECRET_KEY": "change-me"}, "settings", "fault", "easy to guess"),
        ({"SECRET_KEY": "change-me" * 5}, "settings", "fault", "sample"),
        ({"FLASK_DEBUG": "1"}, "settings", "fault", "FLASK_DEBUG"),
        ({"CLEVER_CLIENTID": "x"}, "settings", "warning", "CLEVER_CLIENTID"),
        ({"APP_ENV": "development"}, "mode", "warning", "https"),
        ({"APP_ENV": "development", "SECRET_KEY": "short"}, "secret key", "warning", "weak"),
        ({"APP_ENV": "development", "APP_URL": "https://localhost"}, "mode", "ok", "own machine"),
        ({"APP_URL": "https://localhost"}, "redirect URI", "fault", "this machine"),
        ({}, "support", "warning", "SUPPORT_EMAIL"),
        ({"SUPPORT_URL": "https://example.org"}, "support", "ok", "support team"),
        ({"APP_ENV": "development"}, "support", "ok", "production"),
        (
            {"APP_ENV": "development", "APP_URL": "http://my.app"},
            "redirect URI",
            "warning",
            "http",
        ),
        ({"CLEVER_LIBRARY": "on"}, "app type", "ok", "Library"),
        ({"CLEVER_LIBRARY": "on", "CLEVER_OIDC": "on"}, "app type", "ok", "Library"),
        (
            {"CLEVER_LIBRARY": "on", "CLEVER_DISTRICT_IDS": "4"},
            "app type",
            "fault",
            "refuses all of them",
        ),
        ({"CLEVER_API_VERSION": "v1.2"}, "API version", "fault", "2022"),
        ({"CLEVER_API_VERSION": "v2.1"}, "API version", "warning", "deprecated"),
        ({"CLEVER_API_VERSION": "v3.1"}, "API version", "ok", "v3.1"),
        ({"TRUSTED_PROXIES": "0"}, "proxies", "warning", "TRUSTED_PROXIES"),
        ({"TRUSTED_PROXIES": "0", "DYNO": "web.1"}, "proxies", "fault", "Heroku"),
        ({"TRUSTED_PROXIES": "0", "RENDER": "true"}, "proxies", "fault", "Render"),
        ({"TRUSTED_PROXIES": "0", "RAILWAY_PROJECT_ID": "x"}, "proxies", "fault", "Railway"),
        ({"TRUSTED_PROXIES": "0", "FLY_APP_NAME": "x"}, "proxies", "fault", "Fly"),
        ({"HTTPS_PROXY": "http://canary@proxy:3128"}, "outgoing proxy", "warning", "HTTPS_PROXY"),
        ({"SSL_CERT_FILE": "/etc/ssl/x"}, "certificates", "warning", "CLEVER_CA_BUNDLE"),
        ({"CLEVER_CA_BUNDLE": str(ROOT / "README.md")}, "certificates", "fault", "no certificate"),
        ({"CLEVER_CA_BUNDLE": "/no/such/file"}, "settings", "fault", "no file"),
        ({"FLY_APP_NAME": "x"}, "store", "warning", "set DATABASE_URL, or add a Redis"),
        ({}, "store", "ok", "one machine"),
    ],
)
def test_the_doctor_reports_problems_of_the_hosting_environment(
    changes: dict[str, str], name: str, outcome: str, words: str
) -> None:
    report = run_doctor(PRODUCTION | changes, "--offline")
    report.assert_finding(name, outcome, words)
    assert "canary" not in report.output


def test_the_doctor_distinguishes_wrong_credentials_from_an_unreachable_clever() -> None:
    with running_clever() as (_, environ):
        report = run_doctor(environ | {"CLEVER_CLIENT_SECRET": "another-canary"})
    report.assert_finding("Clever's login", "ok")
    report.assert_finding("credentials", "fault", "Copy both again")
    report.assert_finding("tier", "warning", "Not checked")
    assert "canary" not in report.output


def test_an_unreachable_clever_is_one_failure_and_dependent_checks_are_skipped() -> None:
    report = run_doctor(development_variables(f"http://127.0.0.1:{running_app.free_port()}"))
    report.assert_finding("Clever's login", "fault", "refuses connections")
    report.assert_finding("Clever's data", "fault", "refuses connections")
    for name in ONLINE - {"Clever's login", "Clever's data"}:
        report.assert_finding(name, "warning", "Not checked")
    report.assert_finding("store", "ok")


def test_the_doctor_reports_a_host_name_that_does_not_resolve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    report = run_doctor(development_variables("https://clever.example"))
    report.assert_finding("Clever's login", "fault", "clever.example", "DNS")


def test_a_hanging_resolver_ends_within_the_doctors_time_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(60))
    report = run_doctor(development_variables("https://clever.example"), "--timeout", "1")
    report.assert_finding("Clever's login", "fault", "did not finish within 1 s")
    report.assert_finding("clock", "warning", "Not checked")


def test_the_doctor_gives_up_on_a_clever_that_does_not_answer() -> None:
    with running_clever() as (clever, environ):
        clever.add_fault("token", delay_s=5, times=0)
        report = run_doctor(environ, "--timeout", "1")
    report.assert_finding("Clever's login", "fault", "does not answer in time")
    report.assert_finding("Clever's data", "ok")


def test_an_error_response_from_clever_is_a_warning() -> None:
    with running_clever() as (clever, environ):
        clever.add_fault("token", status=503, times=0)
        clever.add_fault("me", status=429, times=0)
        report = run_doctor(environ)
    report.assert_finding("Clever's login", "warning", "503")
    report.assert_finding("Clever's data", "warning", "429")
    report.assert_finding("credentials", "warning", "Not checked")
    report.assert_finding("tier", "warning", "Not checked", "credentials")
    assert report.outcome == "warning"


@pytest.mark.parametrize(
    ("seconds", "outcome", "words"),
    [
        (30, "ok", "agrees with Clever's"),
        (90, "warning", "seconds behind"),
        (-90, "warning", "seconds ahead of"),
        (150, "fault", "seconds behind"),
        (-150, "fault", "seconds ahead of"),
    ],
)
def test_the_doctor_finds_a_wrong_clock(seconds: float, outcome: str, words: str) -> None:
    with running_clever() as (clever, environ):
        clever.advance(seconds)
        run_doctor(environ).assert_finding("clock", outcome, words)


def test_an_unknown_certificate_authority_fails_until_the_ca_bundle_contains_it(
    tmp_path: Path,
) -> None:
    certificate = certificates.make_certificate(tmp_path)
    with running_clever(tls=(str(certificate.certificate), str(certificate.key))) as (_, environ):
        report = run_doctor(environ)
        report.assert_finding("Clever's login", "fault", "does not trust", "CLEVER_CA_BUNDLE")
        report = run_doctor(environ | {"CLEVER_CA_BUNDLE": str(certificate.certificate)})
        report.assert_finding("Clever's login", "ok", "certificate is valid")
        report.assert_finding("Clever's data", "ok", "certificate is valid")
        report.assert_finding("certificates", "ok", "CLEVER_CA_BUNDLE")


def test_the_doctor_reports_https_to_a_server_without_tls() -> None:
    with running_clever() as (clever, environ):
        report = run_doctor(environ | {"CLEVER_URL": clever.url.replace("http:", "https:")})
    report.assert_finding("Clever's login", "fault", "TLS")


def test_a_server_other_than_clever_at_clevers_address_is_a_failure() -> None:
    with running_app.serve_other_site("<h1>Not Clever</h1>") as url:
        report = run_doctor(development_variables(url.rstrip("/")))
    report.assert_finding("credentials", "fault", "CLEVER_URL")


def test_an_app_without_connected_districts_passes_the_doctor() -> None:
    with running_clever() as (clever, environ):
        clever.add_fault("token", body='{"data": [], "links": []}', times=0)
        report = run_doctor(environ)
    report.assert_finding("credentials", "ok", "No district", "Library")
    report.assert_finding("tier", "ok", "until a district connects")


def districts(*names: str) -> str:
    rows = [{"data": {"id": "5", "name": name}, "uri": "/v3.0/districts/5"} for name in names]
    return json.dumps({"data": rows, "links": []})


def test_only_demo_districts_mean_development_credentials() -> None:
    with running_clever() as (clever, environ):
        clever.add_fault("district", body=districts("#DEMO Reading Room"), times=0)
        report = run_doctor(environ)
        report.assert_finding("districts", "ok", "development credentials")
        clever.clear_faults()
        clever.add_fault("district", body=districts("#DEMO Reading Room"))
        report = run_doctor(environ)
        report.assert_finding("districts", "ok", "do not show which kind of credentials")


def test_the_doctor_checks_only_the_first_of_many_districts_and_says_so() -> None:
    tokens = json.dumps({"data": [{"access_token": f"t{number}"} for number in range(25)]})
    with running_clever() as (clever, environ):
        clever.add_fault("token", body=tokens)
        clever.add_fault("district", body=districts("#DEMO Reading Room"), times=0)
        report = run_doctor(environ)
    report.assert_finding("credentials", "ok", "25 districts")
    report.assert_finding("districts", "ok", "20 of 25 districts")


@contextmanager
def clever_com(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[RunningSimulator, str]]:
    """Run a simulator as clever.com. Yields it and its certificate authority's file."""
    certificate, real = certificates.make_certificate(tmp_path, "clever.com"), socket.getaddrinfo

    def resolve(host: str, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host == "clever.com" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with running_clever(tls=(str(certificate.certificate), str(certificate.key))) as (clever, _):
        yield clever, str(certificate.certificate)


def clever_com_variables(clever: RunningSimulator, bundle: str) -> dict[str, str]:
    url = clever.url.replace("127.0.0.1", "clever.com")
    return {"CLEVER_URL": url, "CLEVER_API_URL": url, "CLEVER_CA_BUNDLE": bundle}


def test_demo_districts_in_production_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clever_com(tmp_path, monkeypatch) as (clever, bundle):
        environ = PRODUCTION | clever_com_variables(clever, bundle)
        clever.add_fault("district", body=districts("#DEMO Reading Room"), times=0)
        run_doctor(environ).assert_finding(
            "districts", "warning", "development credentials", "go-live"
        )
        clever.clear_faults()
        run_doctor(environ).assert_finding("districts", "ok", "production credentials")


def test_real_districts_in_development_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clever_com(tmp_path, monkeypatch) as (clever, bundle):
        report = run_doctor(
            development_variables(clever.url) | clever_com_variables(clever, bundle)
        )
    report.assert_finding("districts", "warning", "real districts")


def test_the_doctor_tries_the_redirect_uri_without_logging_in() -> None:
    with running_clever() as (_, environ):
        run_doctor(environ).assert_finding(
            "redirect URI at Clever", "ok", "cannot see whether it is the first one"
        )
        report = run_doctor(environ | {"APP_URL": "http://localhost:3999"})
    report.assert_finding(
        "redirect URI at Clever", "warning", "http://localhost:3999/oauth/callback"
    )


def test_the_doctor_recognizes_the_sso_tier_by_what_a_district_token_can_read() -> None:
    with running_clever() as (_, environ):
        report = run_doctor(environ | {"CLEVER_CLIENT_ID": "simulator-sso"})
    report.assert_finding("tier", "ok", "SSO")


def test_the_doctor_prints_no_token_and_no_secret() -> None:
    with running_clever() as (clever, environ):
        report = run_doctor(environ)
        simulator = clever.app.extensions["clever_simulator"]
        values = [*simulator.tokens._tokens, SECRET, CLIENT_SECRET]
    assert len(values) > 2
    for value in values:
        assert value not in report.output


@pytest.mark.servers
def test_the_doctor_tries_redis_with_a_temporary_value(tmp_path: Path) -> None:
    from redis import Redis

    with running_app.run_redis(tmp_path) as url:
        environ = PRODUCTION | {"REDIS_URL": url}
        report = run_doctor(environ, "--offline")
        report.assert_finding("store", "ok", "Redis", "test value worked")
        client = Redis.from_url(url)
        assert client.dbsize() == 0
        client.config_set("maxmemory", 10_000_000)
        client.config_set("maxmemory-policy", "allkeys-lru")
        run_doctor(environ, "--offline").assert_finding("store", "warning", "allkeys-lru")
        client.close()
    run_doctor(environ, "--offline").assert_finding("store", "fault", "nobody can log in")


@pytest.mark.filterwarnings("ignore:.*_CONNECTIONS is deprecated:DeprecationWarning")
@pytest.mark.servers
def test_the_doctor_says_how_many_connections_are_in_use(tmp_path: Path) -> None:
    from redis import Redis

    with ExitStack() as stack:
        url = stack.enter_context(running_app.run_redis(tmp_path, options=("--maxclients", "20")))
        environ = PRODUCTION | {"REDIS_URL": url}

        def assert_redis(state: str, *words: str, **changes: str) -> None:
            run_doctor(environ | changes, "--offline").assert_finding("store", state, *words)

        def connect(number: int) -> None:
            for _ in range(number):
                stack.enter_context(Redis.from_url(url)).ping()

        assert_redis("ok", "1 of 20 connections to Redis are in use", "at most 18")
        connect(17)
        assert_redis("ok", "18 of 20 connections to Redis are in use")
        connect(1)
        assert_redis("warning", "19 of 20", "A command may not get one", "a plan with more")
        assert_redis("warning", "at most 34", "Set WEB_CONCURRENCY to 4", WEB_CONCURRENCY="8")
        assert_redis("warning", "Set REDIS_MAX_CONNECTIONS to 20", REDIS_MAX_CONNECTIONS="40")
        assert_redis("warning", "is deprecated", "REDIS_MAX_CONNECTIONS", REDIS_CONNECTIONS="3")
        assert_redis("warning", "at most 34", "Remove REDIS_CONNECTIONS", REDIS_CONNECTIONS="8")


@pytest.mark.servers
def test_the_doctor_says_if_redis_does_not_tell_its_connections(tmp_path: Path) -> None:
    from redis import Redis

    with running_app.run_redis(tmp_path) as url:
        with Redis.from_url(url) as admin:
            admin.acl_setuser(
                "default", enabled=True, nopass=True, commands=["+@all", "-info", "-config"]
            )
        report = run_doctor(PRODUCTION | {"REDIS_URL": url}, "--offline")
        report.assert_finding("store", "ok", "does not tell how many connections", "at most 18")


@pytest.mark.servers
def test_the_doctor_explains_why_redis_does_not_store_anything(tmp_path: Path) -> None:
    with running_app.run_redis(tmp_path, options=("--maxmemory", "1")) as url:
        run_doctor(PRODUCTION | {"REDIS_URL": url}, "--offline").assert_finding(
            "store", "fault", "(OOM)"
        )


@pytest.mark.servers
def test_redis_without_certificate_verification_is_a_warning(tmp_path: Path) -> None:
    certificate = certificates.make_certificate(tmp_path)
    with running_app.run_redis(tmp_path, certificate) as url:
        environ = PRODUCTION | {"REDIS_URL": url}
        run_doctor(environ, "--offline").assert_finding("store", "fault", "nobody can log in")
        lax = environ | {"REDIS_TLS_VERIFY": "off"}
        run_doctor(lax, "--offline").assert_finding("store", "warning", "REDIS_TLS_VERIFY")
        run_doctor(lax | {"DYNO": "web.1"}, "--offline").assert_finding("store", "ok", "Heroku")


def run(folder: Path, environ: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, *command],
        env=variables | environ,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the app without any files written at run time."""
    return copy_app(tmp_path)


FORMS = (("-m", "clever_login.doctor"), ("-m", "flask", "--app", "app", "clever", "doctor"))


@pytest.mark.parametrize("form", FORMS, ids=["module", "flask"])
def test_both_ways_to_run_the_doctor_print_a_line_for_each_finding(
    installed: Path, form: tuple[str, ...]
) -> None:
    with running_clever() as (_, environ):
        result = run(installed, environ, *form)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == "ok       settings: The app can read its settings and start."
    assert lines[-1] == "0 faults, 0 warnings."
    assert all(line.startswith("ok  ") for line in lines[:-2])


def examine_installed(folder: Path, environ: dict[str, str], *form: str) -> Report:
    ended = run(folder, environ, *form, "--json")
    return Report(ended.stdout, ended.returncode)


def set_prefix(app: Path, argument: str) -> None:
    """Replace the argument `url_prefix` in the app."""
    source = app.read_text()
    assert source.count('url_prefix="", ') == 1
    app.write_text(source.replace('url_prefix="", ', argument))


@pytest.mark.parametrize("form", FORMS, ids=["module", "flask"])
@pytest.mark.parametrize(
    ("argument", "prefix"), [("", "/clever"), ('url_prefix="/school", ', "/school")]
)
def test_the_redirect_uri_has_the_url_prefix_of_the_app(
    installed: Path, argument: str, prefix: str, form: tuple[str, ...]
) -> None:
    set_prefix(installed / "app.py", argument)
    with running_clever() as (_, environ):
        report = examine_installed(installed, environ, *form)
    uri = f"{URL}{prefix}/oauth/callback"
    report.assert_finding("redirect URI", "ok", f"exactly {uri} ")
    # It is the URI of the request to the simulator, too, where it is not registered.
    report.assert_finding("redirect URI at Clever", "warning", f"Check that {uri} is")


@pytest.mark.parametrize("name", ["app", "shop"])
def test_a_url_prefix_that_only_the_running_app_knows_is_never_guessed(
    installed: Path, name: str
) -> None:
    app = (installed / "app.py").rename(installed / f"{name}.py")
    set_prefix(app, 'url_prefix="/".join(("", "school")), ')
    with running_clever() as (_, environ):
        alone = examine_installed(installed, environ, *FORMS[0])
        in_app = examine_installed(
            installed, environ, "-m", "flask", "--app", name, "clever", "doctor"
        )
    alone.assert_finding(
        "redirect URI", "warning", f"{URL} + url_prefix", "flask --app NAME clever doctor"
    )
    alone.assert_finding("redirect URI at Clever", "warning", "Not checked", "url_prefix")
    assert "/oauth/callback " not in alone.output.replace("+ /oauth/callback", "")
    in_app.assert_finding("redirect URI", "ok", f"exactly {URL}/school/oauth/callback ")


def test_the_doctor_alone_loads_no_flask(installed: Path) -> None:
    program = "import sys; from clever_login.doctor.runner import doctor\n"
    program += "try:\n    doctor(['--offline'])\n"
    program += "except SystemExit:\n    print('flask' in sys.modules)"
    ended = run(installed, PRODUCTION, "-c", program)
    assert ended.stdout.splitlines()[-1] == "False", ended.stderr


def test_the_doctor_works_when_the_app_cannot_start(installed: Path) -> None:
    result = run(installed, {}, "-m", "clever_login.doctor", "--offline")
    assert result.returncode == 1
    assert "fault    settings: SECRET_KEY is missing" in result.stdout
    assert "         Do: Correct this variable" in result.stdout
    assert result.stdout.endswith("The checks that call Clever were skipped.\n")
    assert result.stderr == ""


def test_the_doctor_tries_the_file_store_only_if_its_folder_exists(
    installed: Path,
) -> None:
    module = ("-m", "clever_login.doctor", "--offline", "--json")
    store = installed / "instance" / "store"
    for exists in (False, True):
        if exists:
            store.mkdir(parents=True)
        before = run(installed, PRODUCTION, *module)
        Report(before.stdout, before.returncode).assert_finding("store", "ok", "will be stored")
        assert store.exists() is exists
        assert list(store.glob("*")) == []
    FileStore(store).set("session-1", b"of a child", 60)
    after = run(installed, PRODUCTION, *module)
    Report(after.stdout, after.returncode).assert_finding("store", "ok", "test value worked")
    assert session_file.values_in(store) == {"session-1": b"of a child"}


def test_an_unwritable_store_folder_is_a_failure(installed: Path) -> None:
    (installed / "instance").write_text("a file where a folder should be")
    result = run(installed, PRODUCTION, "-m", "clever_login.doctor", "--offline", "--json")
    Report(result.stdout, result.returncode).assert_finding("store", "fault", "instance/store")


@pytest.mark.servers  # creates a virtual environment
def test_bin_doctor_reads_the_env_file(tmp_path: Path) -> None:
    copy = installed_copy(tmp_path)
    (copy / ".env").write_text("CLEVER_CLIENT_ID=abc\nCLEVER_CLIENT_SECRET=def\n")
    result = run(copy, {}, str(copy / "bin" / "doctor"), "--offline")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "ok       mode: APP_ENV is development" in result.stdout
