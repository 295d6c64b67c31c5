"""Runs the simulator on a loopback port: in the background for tests, or for `__main__`.

A threaded server whose connections stay open between requests, as Clever's do.
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
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


class NotLoopbackError(ValueError):
    """The host could be reached from other machines, which the simulator never allows."""


class CertificateError(ValueError):
    """The files of the certificate and its key cannot be used; the message says why."""


class RunningSimulator:
    """A simulator that answers at `url`; its methods do what the control endpoints do."""

    def __init__(self, url: str, app: Flask) -> None:
        self.url = url
        self.app = app
        self._world: SimulatorState = app.extensions["clever_simulator"]

    @property
    def people(self) -> Directory:
        """The people of this simulator, to know whom to expect."""
        return self._world.people

    def configure(self, config: Config) -> None:
        """Takes other apps and another seed, e.g. once both addresses are known."""
        self._world.configure(config)

    def reset(self) -> None:
        """Forgets codes, tokens, consents, faults, incidents, journal and all changes."""
        self._world.reset()

    def fault(self, endpoint: str, **fields: object) -> Fault:
        """Arms a fault; raises FaultError (a ValueError) that names a wrong field."""
        return self._world.faults.add({"endpoint": endpoint, **fields})

    def change(self, change: str, person: str, **fields: object) -> list[dict[str, str]]:
        """Changes a district as POST /_simulator/events does; raises ChangeError (a ValueError)."""
        return self._world.changes.make({"change": change, "person": person, **fields})

    def alter(self, record: str, *, drop: Iterable[str] = (), **fields: object) -> None:
        """Gives a record other values as POST /_simulator/records does.

        A path of fields is joined by two underscores: `name__first`. Raises AlterationError or
        ChangeError (both ValueError).
        """
        paths = {name.replace("__", "."): value for name, value in fields.items()}
        self._world.changes.alter({"id": record, "fields": paths, "drop": list(drop)})

    def alterations(self, descriptions: Iterable[Mapping[str, object]]) -> None:
        """Gives many records of one district other values at once."""
        self._world.changes.alter(list(descriptions))

    def changes(self, descriptions: Iterable[Mapping[str, object]]) -> list[dict[str, str]]:
        """Makes many changes of one district at once; raises ChangeError."""
        return self._world.changes.make(list(descriptions))

    def year(self, step: str, **fields: object) -> dict[str, Any]:
        """Makes a step of the school year as POST /_simulator/year does; raises ChangeError."""
        return steps.make_step(self._world, {"step": step, **fields}).record

    def clear_faults(self) -> None:
        """Clears every fault in waiting."""
        self._world.faults.forget()

    def rotate_keys(self, *, keep_old: bool = False) -> str:
        """Signs ID tokens with a new key and returns its kid; old keys are no longer published."""
        return self._world.keys.rotate(keep_old=keep_old)

    def change_claims(self, **claims: object) -> None:
        """Puts these claims into every ID token until a reset; None leaves a claim out."""
        self._world.other_claims = claims

    def incident(self, name: str, impact: str = "major", body: str = "") -> Incident:
        """Puts an incident on the status page; `impact` as Statuspage has it, or maintenance."""
        return self._world.incidents.add(name, impact, body, self._world.clock.now())

    def clear_incidents(self) -> None:
        """Ends every incident."""
        self._world.incidents.clear()

    def journal(self) -> list[dict[str, Any]]:
        """The requests seen so far, oldest first."""
        return self._world.journal.read()

    def advance(self, seconds: float) -> None:
        """Puts the simulator's clock forward: codes and tokens grow old without waiting."""
        self._world.clock.advance(seconds)


@contextmanager
def run_in_background(
    config_for: Config | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: tuple[str, str] | None = None,
) -> Iterator[RunningSimulator]:
    """Serves from a background thread until the block ends; port 0 picks a free one.

    Without a config no app is registered: read `.url`, then call `.configure(config)`.
    With `tls`, the files of a certificate and its key, it is reached by https.
    Raises NotLoopbackError for other hosts, CertificateError for files that cannot be used, and
    OSError when the port is taken.
    """
    app = create_app(config_for or Config(apps=()))
    app.config["SESSION_COOKIE_SECURE"] = tls is not None
    context = _tls_context(*tls) if tls else None
    listener = listen(host, port)
    server = HttpServer(host, listener, app, context)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield RunningSimulator(
            f"{'https' if tls else 'http'}://{_host_in_url(host)}:{server.port}", app
        )
    finally:
        server.shutdown()
        server.hang_up()
        thread.join()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address; raises NotLoopbackError or OSError."""
    if host != "localhost" and not _is_loopback(host):
        raise NotLoopbackError(
            f"The simulator lets anyone in, so it listens on this machine only, not on {host}."
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
        context.load_cert_chain(certificate, key, password=lambda: "")  # else OpenSSL asks for it
    except ssl.SSLError as error:
        raise CertificateError(
            f"{certificate} and {key} are not a certificate and its key without a password."
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
    """Answers many requests on one connection, each in a single write, and logs none of them."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a header that waits for its body costs a client 40 ms

    def run_wsgi(self) -> None:
        """Answers one request; the parent's way would close the connection after each."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        environ = self.make_environ()
        parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        try:
            self._send(status, headers, b"".join(parts))
        except OSError:  # the client, or a fault, closed the connection
            self.close_connection = True

    def make_environ(self) -> WSGIEnvironment:
        """The parent's, but with the body read: what is left over would be the next request."""
        environ = super().make_environ()
        length = environ.get("CONTENT_LENGTH", "0")
        known = length.isascii() and length.isdigit() and int(length) <= MAX_BODY_BYTES
        if known and not environ.get("wsgi.input_terminated"):
            environ["wsgi.input"] = BytesIO(self.rfile.read(int(length)))
        else:
            self.close_connection = True
        return environ

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing: the journal is the log."""

    def _now(self) -> float:
        """The time at which the simulator has arrived, so that its Date header says so, too."""
        app: Any = self.server.app
        return float(app.extensions["clever_simulator"].clock.outside())

    def _send(self, status: str, headers: Headers, body: bytes) -> None:
        bodiless = status.startswith(("204", "304"))
        head = [f"HTTP/1.1 {status}"]
        if "Date" not in headers:  # a fault may say another one
            head.append(f"Date: {self.date_time_string(self._now())}")
        head += [f"{k}: {v}" for k, v in headers if k.lower() != "content-length"]
        if not bodiless:
            head.append(f"Content-Length: {len(body)}")
        if self.close_connection:
            head.append("Connection: close")
        sent = b"" if bodiless or self.command == "HEAD" else body
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + sent)


class HttpServer(ThreadedWSGIServer):
    """Knows its open connections, so that a stopped simulator does not go on answering."""

    def __init__(
        self,
        host: str,
        listener: socket.socket,
        app: WSGIApplication,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        port = listener.getsockname()[1]
        super().__init__(host, port, app, RequestHandler, fd=listener.fileno())
        listener.close()  # the server works on a duplicate
        if tls:
            # Each connection's own thread shakes hands: a silent client must not keep others out.
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
            self.ssl_context = tls

    def process_request(self, request: Any, client_address: Any) -> None:
        """Notes the connection and starts its thread."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forgets the connection and closes it."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends every connection that is still open."""
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client may have gone already
                    connection.shutdown(socket.SHUT_RDWR)
