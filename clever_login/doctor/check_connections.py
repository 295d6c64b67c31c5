"""Checks that PostgreSQL and Redis allow as many connections as the app may open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clever_login.config import COMMAND_CONNECTIONS, Settings, describe_deprecated
from clever_login.doctor.environment import DoctorEnvironment
from clever_login.doctor.findings import Finding, ok, warning


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server with a limit on connections, and the setting for this machine's part of it."""

    name: str
    variable: str
    deprecated_variable: str
    why_unknown: str

    def machine_limit(self, settings: Settings) -> int:
        """Return the value of the setting."""
        return int(getattr(settings, self.variable.lower()))

    def per_worker(self, settings: Settings) -> int:
        """Return how many connections one worker may open."""
        return int(getattr(settings, f"worker_{self.deprecated_variable.lower()}"))


POSTGRESQL = Server(
    name="PostgreSQL",
    variable="DATABASE_MAX_CONNECTIONS",
    deprecated_variable="DATABASE_CONNECTIONS",
    why_unknown="A pooler shares the connections to PostgreSQL, so the doctor cannot count them.",
)
REDIS = Server(
    name="Redis",
    variable="REDIS_MAX_CONNECTIONS",
    deprecated_variable="REDIS_CONNECTIONS",
    why_unknown="This Redis does not tell how many connections are in use, or how many it allows.",
)


def check_connections(
    environment: DoctorEnvironment,
    check_name: str,
    server: Server,
    in_use: int | None,
    allowed: int | None,
) -> Iterator[Finding]:
    """Check the connections that are in use, and those that a deploy needs. None: unknown."""
    settings = environment.settings
    if environment.set_variables(server.deprecated_variable):
        sentence = describe_deprecated(server.deprecated_variable)
        is_deprecated, _, fix = sentence.partition(". ")
        yield warning(check_name, f"{server.deprecated_variable} {is_deprecated}.", fix)
    if in_use is None or allowed is None:
        yield ok(check_name, f"{server.why_unknown} {_need(server, settings)}")
        return
    usage = f"{in_use} of {allowed} connections to {server.name} are in use."
    if change := _fix(server, settings, allowed):
        yield warning(check_name, f"{usage} {_need(server, settings)}", change)
    elif allowed - in_use < COMMAND_CONNECTIONS:
        yield warning(
            check_name,
            f"{usage} A command may not get one.",
            "Find out which other programs use them, or choose a plan with more connections.",
        )
    else:
        yield ok(check_name, f"{usage} {_need(server, settings)}")


def _need(server: Server, settings: Settings) -> str:
    workers, per_worker = settings.web_concurrency, server.per_worker(settings)
    return (
        f"The app on this machine opens at most {_needed(server, settings)}: {per_worker} for each "
        f"of {workers} old and {workers} new workers during a deploy, and {COMMAND_CONNECTIONS} "
        "for commands."
    )


def _needed(server: Server, settings: Settings) -> int:
    return 2 * settings.web_concurrency * server.per_worker(settings) + COMMAND_CONNECTIONS


def _fix(server: Server, settings: Settings, allowed: int) -> str | None:
    """Return what to change if the server allows fewer connections than the app may open."""
    if server.machine_limit(settings) > allowed:
        return (
            f"Set {server.variable} to {allowed}, or to the part of it that this machine may use "
            "if the app runs on several, or choose a plan with more connections."
        )
    if _needed(server, settings) <= allowed:
        return None
    if getattr(settings, server.deprecated_variable.lower()):
        return f"Remove {server.deprecated_variable}."
    workers = max(1, (allowed - COMMAND_CONNECTIONS) // 4)
    return f"Set WEB_CONCURRENCY to {workers}, or choose a plan with more connections."
