"""`python -m clever_simulator`: one simulator on a loopback port until Ctrl-C or SIGTERM."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TextIO, cast, get_args

from clever_simulator.config import Config, RegisteredApp, Tier, default_config
from clever_simulator.console import report_crashes, visible
from clever_simulator.crowd import MOST_STUDENTS
from clever_simulator.csv_files import DataError
from clever_simulator.server import CertificateError, NotLoopbackError, running
from clever_simulator.versions import VERSIONS


def main(arguments: list[str] | None = None) -> int:
    """Runs until told to stop; 0 then, 1 when it could not start, 2 for options and data."""
    options = _options(arguments)
    report_crashes()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with running(_config(options), options.host, options.port, options.tls) as simulator:
            _say(f"The Clever simulator is ready at {simulator.url}", sys.stdout)
            stop.wait()
    except DataError as error:
        return _say(str(error), sys.stderr) + 1
    except (NotLoopbackError, CertificateError) as error:
        return _say(str(error), sys.stderr)
    except OSError as error:
        where = f"{options.host}:{options.port}"
        return _say(
            f"The simulator cannot listen on {where}: {os.strerror(error.errno or 0)}.", sys.stderr
        )
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.cert is None) != (options.key is None):
        parser.error("--cert and --key belong together: give both or neither")
    options.tls = (options.cert, options.key) if options.cert is not None else None
    return options


def _say(line: str, where: TextIO) -> int:
    where.write(visible(line) + "\n")
    where.flush()
    return 1


def _config(options: argparse.Namespace) -> Config:
    config = default_config(options.app_url, options.api_version)
    extra = tuple(_app(text, options.api_version) for text in options.app)
    # An app of one's own may take the name of a sample, and then stands in its place.
    taken = {app.client_id for app in extra}
    samples = tuple(app for app in config.apps if app.client_id not in taken)
    return Config(
        apps=samples + extra,
        seed=options.seed,
        new_ids=frozenset(options.new_id),
        students=options.students,
        data=options.data,
    )


def _app(text: str, api_version: str) -> RegisteredApp:
    client_id, secret, kind, uri = text.split(":", 3)
    tier, _, oidc = kind.partition("+")
    return RegisteredApp(
        client_id=client_id,
        client_secret=secret,
        redirect_uris=(uri,),
        tier=cast(Tier, tier),
        name=client_id,
        api_version=api_version,
        oidc=bool(oidc),
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("expected a number from 0 to 65535")
    return int(text)


def _students(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_STUDENTS:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {MOST_STUDENTS}")
    return int(text)


def _app_text(text: str) -> str:
    parts = text.split(":", 3)
    kinds = {*get_args(Tier), "secure_sync+oidc", "sso+oidc"}
    if len(parts) != 4 or not all(parts) or parts[2] not in kinds:
        tiers = ", ".join(sorted(kinds))
        raise argparse.ArgumentTypeError(
            f"expected CLIENT_ID:SECRET:TIER:REDIRECT_URI, the tier one of {tiers}"
        )
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clever_simulator", description="A Clever to develop against; not Clever."
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=_port, default=3001, help="0 picks a free one")
    parser.add_argument("--cert", metavar="FILE", help="serve https with this certificate (PEM)")
    parser.add_argument("--key", metavar="FILE", help="the certificate's key (PEM)")
    parser.add_argument("--app-url", default="http://localhost:3000", help="where the app runs")
    parser.add_argument("--api-version", choices=tuple(VERSIONS), default="v3.0")
    _add_people(parser)
    parser.add_argument(
        "--app",
        action="append",
        default=[],
        type=_app_text,
        metavar="CLIENT_ID:SECRET:TIER:REDIRECT_URI",
        help="one more app; may be given several times",
    )
    return parser


def _add_people(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--seed", type=int, default=1, help="another seed, other people")
    add("--students", type=_students, metavar="N", help="one more district, with N students")
    add("--data", type=Path, metavar="FOLDER-OR-ZIP", help="one more district, from CSV files")
    add(
        "--new-id",
        action="append",
        default=[],
        metavar="USER_NAME",
        help="this person has come back with another id; may be given several times",
    )


if __name__ == "__main__":
    sys.exit(main())
