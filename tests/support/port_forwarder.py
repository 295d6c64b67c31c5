"""A port that forwards to a server, and to another one after a failover."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Forwarder:
    """Forwards connections to `target`, a port on this machine, which may change at any time.

    Data is passed on after `delay` seconds, in both directions.
    """

    port: int
    target: int
    delay: float = 0

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with source, contextlib.suppress(OSError):
            while data := source.recv(65536):
                time.sleep(self.delay)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def forwarding(target: int) -> Iterator[Forwarder]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        forwarder = Forwarder(int(listener.getsockname()[1]), target)
        threading.Thread(target=forwarder.serve, args=(listener,), daemon=True).start()
        yield forwarder
        listener.shutdown(socket.SHUT_RDWR)
