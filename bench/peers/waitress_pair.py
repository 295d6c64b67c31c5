"""Waitress alone: two processes on one socket, `python -m bench.peers.waitress_pair PORT`."""

from __future__ import annotations

import os
import signal
import socket
import sys

from waitress import create_server

from app import create_app

PROCESSES, THREADS = 2, 80


def main() -> None:
    """Forks the processes, and stops them with the parent."""
    sock = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
    children = []
    for _ in range(PROCESSES):
        if not (child := os.fork()):
            serve(sock)
            return
        children.append(child)
    sock.close()
    signal.signal(signal.SIGTERM, lambda *_: stop(children))
    for pid in children:
        os.waitpid(pid, 0)


def stop(children: list[int]) -> None:
    """Passes on SIGTERM."""
    for child in children:
        os.kill(child, signal.SIGTERM)


def serve(sock: socket.socket) -> None:
    """Serves until SIGTERM, like waitress-serve, which gives requests in progress five seconds."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = create_server(
        create_app(), sockets=[sock], threads=THREADS, connection_limit=500, asyncore_use_poll=True
    )
    server.run()


if __name__ == "__main__":
    main()
