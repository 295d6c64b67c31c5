"""A port that leads to a server, and after a failover to another one."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Forwarder:
    """`target` is the port on this machine that the next connection leads to."""

    port: int
    target: int

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                for here, there in ((client, server), (server, client)):
                    threading.Thread(target=_copy, args=(here, there), daemon=True).start()


@contextmanager
def forwarding(target: int) -> Iterator[Forwarder]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        forwarder = Forwarder(int(listener.getsockname()[1]), target)
        threading.Thread(target=forwarder.serve, args=(listener,), daemon=True).start()
        yield forwarder
        listener.shutdown(socket.SHUT_RDWR)


def _copy(here: socket.socket, there: socket.socket) -> None:
    with here, contextlib.suppress(OSError):
        while data := here.recv(65536):
            there.sendall(data)
        there.shutdown(socket.SHUT_WR)
