"""A port in front of a server, which can be slow or closed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support import running_app


class Gate:
    """Forwards connections to a server on this machine, until it is closed.

    Data is passed on after `delay` seconds, in both directions.
    """

    def __init__(self, target: int) -> None:
        self.port = running_app.free_port()
        self.delay = 0.0
        self._target = target
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener: socket.socket | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Accept connections while the block runs."""
        self._listen()
        try:
            yield
        finally:
            self._close()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Refuse connections while the block runs, and close those that are open."""
        self._close()
        try:
            yield
        finally:
            self._listen()

    @contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Delay data by this time while the block runs."""
        self.delay = seconds
        try:
            yield
        finally:
            self.delay = 0.0

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _close(self) -> None:
        with self._lock:
            sockets, self._sockets = self._sockets, set()
            if self._listener:
                sockets.add(self._listener)
            self._listener = None
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                self._connect(listener.accept()[0])

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        with self._lock:
            self._sockets |= {client, server}
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                time.sleep(self.delay)
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._sockets -= {source, sink}
        source.close()
