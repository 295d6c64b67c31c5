"""A threaded server whose connections stay open between requests, as Clever's do."""

import contextlib
import socket
import ssl
import threading
from io import BytesIO
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

LARGEST_BODY = 1_000_000


class Handler(WSGIRequestHandler):
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

    def make_environ(self) -> "WSGIEnvironment":
        """The parent's, but with the body read: what is left over would be the next request."""
        environ = super().make_environ()
        length = environ.get("CONTENT_LENGTH", "0")
        known = length.isascii() and length.isdigit() and int(length) <= LARGEST_BODY
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


class Server(ThreadedWSGIServer):
    """Knows its open connections, so that a stopped simulator does not go on answering."""

    def __init__(
        self,
        host: str,
        listener: socket.socket,
        app: "WSGIApplication",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        port = listener.getsockname()[1]
        super().__init__(host, port, app, Handler, fd=listener.fileno())
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
