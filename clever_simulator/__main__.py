"""`python -m clever_simulator`: runs one simulator on a loopback port until Ctrl-C or SIGTERM."""

import argparse
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO, cast, get_args

from clever_simulator.config import Config, RegisteredApp, Tier, default_config
from clever_simulator.conformance.command import check
from clever_simulator.console import escape_unprintable, report_crashes
from clever_simulator.data_api.versions import VERSIONS
from clever_simulator.directory.csv_district import find_bad_lines
from clever_simulator.directory.csv_reader import DataError
from clever_simulator.directory.large_district import (
    MAX_SCHOOLS,
    MAX_STUDENTS,
    MIN_SCHOOLS,
    SANDBOX,
)
from clever_simulator.server import CertificateError, NotLoopbackError, run_in_background
from clever_simulator.switches import SwitchError, parse_switch


def main(arguments: list[str] | None = None) -> int:
    """Runs the simulator until a signal stops it, or, with `check`, checks an app.

    Returns 0 after a stop, and 1 when it cannot start or cannot listen. Returns 2 for bad data;
    argparse exits with 2 for bad options.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["check"]:
        return check(arguments[1:])
    options = _parse_options(arguments)
    report_crashes()
    stop = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop.set())
    try:
        bad_lines = find_bad_lines(options.data) if options.skip_bad_lines else {}
        for sentence in bad_lines.values():
            _print_line(f"Left out: {sentence}", sys.stderr)
        config = replace(_build_config(options), left_out=frozenset(bad_lines))
        with run_in_background(config, options.host, options.port, options.tls) as simulator:
            _print_line(f"The Clever simulator is ready at {simulator.url}", sys.stdout)
            stop.wait()
    except DataError as error:
        return _print_line(str(error), sys.stderr) + 1
    except (NotLoopbackError, CertificateError) as error:
        return _print_line(str(error), sys.stderr)
    except OSError as error:
        address = f"{options.host}:{options.port}"
        return _print_line(
            f"The simulator cannot listen on {address}: {os.strerror(error.errno or 0)}.",
            sys.stderr,
        )
    return 0


def _parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = _build_parser()
    options = parser.parse_args(arguments)
    if (options.cert is None) != (options.key is None):
        parser.error("give both --cert and --key, or neither")
    if options.sandbox:
        options.students, options.schools = SANDBOX
    if options.schools and options.students is None:
        parser.error("--schools needs --students")
    if options.skip_bad_lines and options.data is None:
        parser.error("--skip-bad-lines needs --data")
    options.tls = (options.cert, options.key) if options.cert is not None else None
    return options


def _print_line(line: str, stream: TextIO) -> int:
    stream.write(escape_unprintable(line) + "\n")
    stream.flush()
    return 1


def _build_config(options: argparse.Namespace) -> Config:
    config = default_config(options.app_url, options.api_version)
    extra = tuple(_build_app(text, options.api_version) for text in options.app)
    # An app from --app replaces the sample app with the same client ID.
    replaced_ids = {app.client_id for app in extra}
    samples = tuple(app for app in config.apps if app.client_id not in replaced_ids)
    changes: dict[str, Any] = {"api_versions": options.api_versions}
    for switch in options.switch:
        changes |= switch
    return Config(
        apps=tuple(replace(app, **changes) for app in samples + extra),
        seed=options.seed,
        new_ids=frozenset(options.new_id),
        students=options.students,
        schools=options.schools,
        certification=options.certification,
        data=options.data,
    )


def _build_app(text: str, api_version: str) -> RegisteredApp:
    client_id, secret, kind, uri = text.split(":", 3)
    tier, *options = kind.split("+")
    return RegisteredApp(
        client_id=client_id,
        client_secret=secret,
        redirect_uris=(uri,),
        tier=cast(Tier, tier),
        name=client_id,
        api_version=api_version,
        oidc="oidc" in options,
        events="events" in options,
    )


def _parse_port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("expected a number from 0 to 65535")
    return int(text)


def _parse_student_count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_STUDENTS:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {MAX_STUDENTS}")
    return int(text)


def _parse_school_count(text: str) -> int:
    if not text.isdecimal() or not MIN_SCHOOLS <= int(text) <= MAX_SCHOOLS:
        raise argparse.ArgumentTypeError(f"expected a number from {MIN_SCHOOLS} to {MAX_SCHOOLS}")
    return int(text)


def _parse_versions(text: str) -> tuple[str, ...]:
    versions = tuple(text.split(","))
    if not set(versions) <= set(VERSIONS):
        raise argparse.ArgumentTypeError(f"expected a list of {', '.join(VERSIONS)}")
    return versions


def _parse_switch(text: str) -> dict[str, str | bool]:
    try:
        return parse_switch(text)
    except SwitchError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _validate_app(text: str) -> str:
    parts = text.split(":", 3)
    kinds = {*get_args(Tier), "sso+oidc", "secure_sync+oidc", "secure_sync+events"}
    kinds.add("secure_sync+oidc+events")
    if len(parts) != 4 or not all(parts) or parts[2] not in kinds:
        tiers = ", ".join(sorted(kinds))
        raise argparse.ArgumentTypeError(
            f"expected CLIENT_ID:SECRET:TIER:REDIRECT_URI, where TIER is one of {tiers}"
        )
    return text


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clever_simulator",
        description="Simulates Clever on this machine, for development and tests.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the loopback address to listen on")
    parser.add_argument(
        "--port", type=_parse_port, default=3001, help="the port to listen on; 0 picks a free port"
    )
    parser.add_argument("--cert", metavar="FILE", help="serve https with this certificate (PEM)")
    parser.add_argument("--key", metavar="FILE", help="the certificate's key (PEM)")
    parser.add_argument("--app-url", default="http://localhost:3000", help="the app's URL")
    parser.add_argument("--api-version", choices=tuple(VERSIONS), default="v3.0")
    _add_behavior_options(parser)
    _add_sample_districts(parser)
    _add_directory_options(parser)
    parser.add_argument(
        "--app",
        action="append",
        default=[],
        type=_validate_app,
        metavar="CLIENT_ID:SECRET:TIER:REDIRECT_URI",
        help="register one more app; can be repeated",
    )
    return parser


def _add_behavior_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--api-versions",
        type=_parse_versions,
        default=(),
        metavar="LIST",
        help="the only versions that Clever has given to the apps, such as v3.0,v3.1",
    )
    parser.add_argument(
        "--switch",
        action="append",
        default=[],
        type=_parse_switch,
        metavar="NAME=VALUE",
        help="how to behave where Clever's behavior is unknown; can be repeated",
    )


def _add_sample_districts(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--sandbox",
        action="store_true",
        help="add a district of the size of Clever's default sandbox: "
        f"{SANDBOX[0]:,} students and {SANDBOX[1]} schools",
    )
    add(
        "--certification",
        action="store_true",
        help="add a district with the cases that Clever's certification guides name",
    )


def _add_directory_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--seed", type=int, default=1, help="another seed creates other people")
    add(
        "--students",
        type=_parse_student_count,
        metavar="N",
        help="add a district with N students",
    )
    add(
        "--schools",
        type=_parse_school_count,
        metavar="N",
        help="the number of schools in this district",
    )
    add("--data", type=Path, metavar="FOLDER-OR-ZIP", help="add a district from CSV files")
    add(
        "--skip-bad-lines",
        action="store_true",
        help="leave out lines of the CSV files that have errors, and print them",
    )
    add(
        "--new-id",
        action="append",
        default=[],
        metavar="USER_NAME",
        help="this person has returned with another id; can be repeated",
    )


if __name__ == "__main__":
    sys.exit(main())
