"""Runs the simulator on a loopback port, in the background for tests or from `__main__`.

The server is threaded and keeps connections open between requests, as Clever does.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from clever_simulator import create_app
from clever_simulator.config import Config
from clever_simulator.directory.directory import Directory
from clever_simulator.faults.faults import Fault
from clever_simulator.faults.incidents import Incident
from clever_simulator.school_year import steps
from clever_simulator.state import SimulatorState

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class NotLoopbackError(ValueError):
    """The host is not a loopback address. The simulator never accepts other machines."""


class CertificateError(ValueError):
    """The certificate or key file cannot be used. The message says why."""


class RunningSimulator:
    """A simulator running at `url`. Its methods do the same as the control endpoints."""

    def __init__(self, url: str, app: Flask) -> None:
        self.url = url
        self.app = app

    @property
    def _state(self) -> SimulatorState:
        state: SimulatorState = self.app.extensions["clever_simulator"]
        return state

    @property
    def people(self) -> Directory:
        """The people of this simulator, for tests to compare with."""
        return self._state.people

    def configure(self, config: Config) -> None:
        """Replaces the apps and the seed, for example once both URLs are known."""
        self._state.configure(config)

    def reset(self) -> None:
        """Resets codes, tokens, consents, faults, incidents, request log, clock and all changes."""
        self._state.reset()

    def add_fault(self, endpoint: str, **fields: object) -> Fault:
        """Adds a fault. Raises FaultError (a ValueError) naming an invalid field."""
        return self._state.faults.add({"endpoint": endpoint, **fields})

    def change_roster(self, change: str, person: str, **fields: object) -> list[dict[str, str]]:
        """Changes a district like POST /_simulator/events. Raises ChangeError (a ValueError)."""
        return self._state.changes.make({"change": change, "person": person, **fields})

    def override(self, record: str, *, drop: Iterable[str] = (), **fields: object) -> None:
        """Overrides a record's fields like POST /_simulator/records.

        Two underscores separate the parts of a field's path: `name__first`. Raises OverrideError or
        ChangeError (both ValueError).
        """
        paths = {name.replace("__", "."): value for name, value in fields.items()}
        self._state.changes.override({"id": record, "fields": paths, "drop": list(drop)})

    def override_many(self, descriptions: Iterable[Mapping[str, object]]) -> None:
        """Overrides fields of many records in one district at once."""
        self._state.changes.override(list(descriptions))

    def changes(self, descriptions: Iterable[Mapping[str, object]]) -> list[dict[str, str]]:
        """Makes many changes in one district at once. Raises ChangeError."""
        return self._state.changes.make(list(descriptions))

    def make_step(self, step: str, **fields: object) -> dict[str, Any]:
        """Makes a school year step like POST /_simulator/year. Raises ChangeError."""
        return steps.make_step(self._state, {"step": step, **fields}).record

    def clear_faults(self) -> None:
        """Removes all pending faults."""
        self._state.faults.clear()

    def rotate_keys(self, *, keep_old: bool = False) -> str:
        """Signs ID tokens with a new key and returns its `kid`. Unpublishes old keys by default."""
        return self._state.keys.rotate(keep_old=keep_old)

    def change_claims(self, **claims: object) -> None:
        """Puts these claims into every ID token until a reset. None leaves a claim out."""
        self._state.extra_claims = claims

    def add_incident(self, name: str, impact: str = "major", body: str = "") -> Incident:
        """Adds an incident to the status page. `impact` is a Statuspage impact or `maintenance`."""
        return self._state.incidents.add(name, impact, body, self._state.clock.now())

    def clear_incidents(self) -> None:
        """Ends every incident."""
        self._state.incidents.clear()

    def received_requests(self) -> list[dict[str, Any]]:
        """Returns the requests seen so far, oldest first."""
        return self._state.journal.read()

    def advance(self, seconds: float) -> None:
        """Moves the simulator's clock forward, so that codes and tokens age without waiting."""
        self._state.clock.advance(seconds)


@contextmanager
def run_in_background(
    config_for: Config | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: tuple[str, str] | None = None,
) -> Iterator[RunningSimulator]:
    """Serves from a background thread until the block ends. Port 0 picks a free one.

    Without a config no app is registered: read `.url`, then call `.configure(config)`. `tls`, the
    files of a certificate and its key, enables https.
    Raises NotLoopbackError for other hosts, CertificateError for files that cannot be used, and
    OSError if the port is taken.
    """
    server = make_server(create_app(config_for or Config(apps=())), host, port, tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield RunningSimulator(server.url, server.flask_app)
    finally:
        server.shutdown()
        server.hang_up()
        thread.join()


def make_server(
    app: Flask, host: str = "127.0.0.1", port: int = 0, tls: tuple[str, str] | None = None
) -> HttpServer:
    """Returns a server for a simulator's app. It listens, but does not serve yet.

    Arguments and errors are those of `run_in_background`.
    """
    app.config["SESSION_COOKIE_SECURE"] = tls is not None
    context = _tls_context(*tls) if tls else None
    return HttpServer(host, listen(host, port), app, context)


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket on a loopback address. Raises NotLoopbackError or OSError."""
    if host != "localhost" and not _is_loopback(host):
        raise NotLoopbackError(
            "The simulator has no protection against strangers, so it does not listen on "
            f"{host}. Use a loopback address such as 127.0.0.1."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def _tls_context(certificate: str, key: str) -> ssl.SSLContext:
    for path in (certificate, key):
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise CertificateError(
                f"The simulator cannot read {path}: {error.strerror}."
            ) from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Otherwise OpenSSL prompts for it
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        raise CertificateError(
            f"{certificate} and {key} must be a certificate and its key, in PEM format and "
            "without a password."
        ) from error
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


MAX_BODY_BYTES = 1_000_000


class RequestHandler(WSGIRequestHandler):
    """Handles many requests per connection, with a single write per response and no logging."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # with Nagle, a header waiting for its body costs 40 ms

    def run_wsgi(self) -> None:
        """Handles one request. The parent's version closes the connection after each one."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        environ = self.make_environ()
        parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        try:
            self._send(status, headers, b"".join(parts))
        except OSError:  # the client, or a fault, closed the connection
            self.close_connection = True

    def make_environ(self) -> WSGIEnvironment:
        """Reads the body into the parent's environ.

        Unread bytes would be parsed as the next request.
        """
        environ = super().make_environ()
        length = environ.get("CONTENT_LENGTH", "0")
        has_valid_length = length.isascii() and length.isdigit() and int(length) <= MAX_BODY_BYTES
        if has_valid_length and not environ.get("wsgi.input_terminated"):
            environ["wsgi.input"] = BytesIO(self.rfile.read(int(length)))
        else:
            self.close_connection = True
        return environ

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Does nothing, because the simulator has its own request log."""

    def _now(self) -> float:
        """The simulator's time, for the Date header."""
        app: Any = self.server.app
        return float(app.extensions["clever_simulator"].clock.wall_time())

    def _send(self, status: str, headers: Headers, body: bytes) -> None:
        bodiless = status.startswith(("204", "304"))
        head = [f"HTTP/1.1 {status}"]
        if "Date" not in headers:  # a fault can set another Date
            head.append(f"Date: {self.date_time_string(self._now())}")
        head += [f"{name}: {value}" for name, value in headers if name.lower() != "content-length"]
        if not bodiless:
            head.append(f"Content-Length: {len(body)}")
        if self.close_connection:
            head.append("Connection: close")
        sent = b"" if bodiless or self.command == "HEAD" else body
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + sent)


class HttpServer(ThreadedWSGIServer):
    """Tracks its open connections, so that a stopped simulator stops responding."""

    def __init__(
        self,
        host: str,
        listener: socket.socket,
        app: Flask,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        self.flask_app = app
        port = listener.getsockname()[1]
        super().__init__(host, port, app, RequestHandler, fd=listener.fileno())
        listener.close()  # the server uses a duplicate
        if tls:
            # The TLS handshake runs in each connection's thread, so a silent client does not block
            # others.
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
            self.ssl_context = tls
        self.url = f"{'https' if tls else 'http'}://{_host_in_url(host)}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Tracks the connection and starts its thread."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Untracks the connection and closes it."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    @property
    def is_idle(self) -> bool:
        """Whether no connection is open."""
        with self._open_lock:
            return not self._open

    def hang_up(self) -> None:
        """Closes every open connection."""
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client may have disconnected already
                    connection.shutdown(socket.SHUT_RDWR)
