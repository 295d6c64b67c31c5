"""One response: from the app, or from the server for a request that no view sees."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from waitress.channel import ClientDisconnected
from waitress.task import ErrorTask, Task, WSGITask

from clever_login.server.contract import QUEUE_SECONDS_KEY
from clever_login.server.parser import REQUEST_TIMEOUT_SECONDS

# Constant texts: nothing from the request is repeated.
REFUSAL_TEXTS = {
    400: ("Bad Request", "The server could not read this request."),
    408: (
        "Request Timeout",
        f"The request did not arrive within {REQUEST_TIMEOUT_SECONDS:.0f} seconds."
        " Check the network connection, and try again.",
    ),
    413: ("Content Too Large", "This is larger than the page accepts. Nothing was saved."),
    431: (
        "Request Header Fields Too Large",
        "Your browser sent too much with this request: more than 32 KiB, mostly cookies."
        " Delete the cookies of this site, or open it in a private window, and log in again.",
    ),
    500: ("Internal Server Error", "The server failed. Try again."),
    501: ("Not Implemented", "The server supports no transfer coding except chunked."),
    503: ("Service Unavailable", "Too many large uploads are in progress. Try again in a minute."),
    505: ("HTTP Version Not Supported", "The server supports HTTP/1.1 and HTTP/1.0."),
}
REFUSAL_HEADERS = [
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
]


class ResponseTask(Task):
    """The common part of both responses: closing the connection, HEAD, and the access log."""

    channel: Any  # a Channel, whose module imports this one

    def build_response_header(self) -> bytes:
        """Add `Connection: close` to the last response of a connection."""
        if self.channel.closes_after_response():
            self.set_close_on_finish()
        return bytes(super().build_response_header())

    def write(self, data: bytes) -> None:
        """Send the header before the first data. A response to HEAD has no body."""
        super().write(b"" if self.request.command == "HEAD" else data)

    def finish(self) -> None:
        """Finish the response.

        Waitress would end the body with an empty chunk, which HEAD does not have.
        """
        if self.request.command != "HEAD":
            super().finish()
        elif not self.wrote_header:
            self.write(b"")

    def service(self) -> None:
        """Send the response, and log it.

        If the app fails, another task answers and logs instead.
        """
        try:
            super().service()
        except ClientDisconnected:
            self.status = "499 the client hung up"
            self.wrote_header = True
            raise
        finally:
            if self.wrote_header:
                duration = timedelta(seconds=time.monotonic() - self.channel.received_at)
                self.channel.server.log_access(self, duration)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers, under the name that gunicorn's access log uses."""
        return list(self.response_headers)

    @property
    def sent(self) -> int:
        """The number of bytes of the body, for gunicorn's access log."""
        return int(self.content_bytes_written)


class AppResponse(ResponseTask, WSGITask):
    """A response from the app."""

    def get_environment(self) -> dict[str, Any]:
        """Return waitress's environ, plus how long the request waited for a thread."""
        environ: dict[str, Any] = super().get_environment()
        environ[QUEUE_SECONDS_KEY] = self.channel.queue_seconds
        environ["wsgi.multiprocess"] = self.channel.server.multiprocess
        return environ


class RefusalResponse(ResponseTask, ErrorTask):
    """A short plain text. The connection is then closed, because what follows cannot be trusted."""

    def execute(self) -> None:
        """Send the text."""
        code = self.request.error.code
        reason, text = REFUSAL_TEXTS[code]
        self.channel.is_refusal = code != 500
        self.status = f"{code} {reason}"
        self.response_headers += REFUSAL_HEADERS
        if code == 503:
            self.response_headers.append(("Retry-After", "60"))
        self.set_close_on_finish()
        body = f"{text}\n".encode()
        self.content_length = len(body)
        self.write(body)
