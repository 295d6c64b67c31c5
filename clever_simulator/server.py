"""Runs the simulator on a loopback port: in the background for tests, or for `__main__`."""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask

from clever_simulator import create_app, year
from clever_simulator.config import Config
from clever_simulator.directory import Directory
from clever_simulator.faults import Fault
from clever_simulator.http_server import Server
from clever_simulator.incidents import Incident
from clever_simulator.world import World


class NotLoopbackError(ValueError):
    """The host could be reached from other machines, which the simulator never allows."""


class CertificateError(ValueError):
    """The files of the certificate and its key cannot be used; the message says why."""


class Running:
    """A simulator that answers at `url`; its methods do what the control endpoints do."""

    def __init__(self, url: str, app: Flask) -> None:
        self.url = url
        self.app = app
        self._world: World = app.extensions["clever_simulator"]

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
        return year.make(self._world, {"step": step, **fields}).record

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
def running(
    config_for: Config | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: tuple[str, str] | None = None,
) -> Iterator[Running]:
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
    server = Server(host, listener, app, context)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Running(f"{'https' if tls else 'http'}://{_in_url(host)}:{server.port}", app)
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


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
