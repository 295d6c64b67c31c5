"""Chooses the ports that bin/dev uses."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping

from tools.terminal import SetupError, say

LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
LAST = 65535


def choose_port(
    settings: Mapping[str, str],
    variable: str,
    default: int,
    program: str,
    avoid: int,
    own_ports: frozenset[int] = frozenset(),
) -> int:
    """Returns the port that a variable names, or the first free one from the default on.

    Ports that the running bin/dev itself listens on (`own_ports`) count as free. Raises SetupError
    if the named port cannot be used, or no port is free.
    """
    if settings.get(variable):
        return _asked_for(variable, settings[variable], avoid, own_ports)
    for port in range(default, LAST + 1):
        if port != avoid and (port in own_ports or is_free(port)):
            if port != default:
                say(
                    f"Port {default} is taken, so {program} uses port {port}. Set {variable} to "
                    "choose another port."
                )
            return port
    raise SetupError(f"No free port was found for {program}. Set {variable} to a free port.")


def wanted_port(settings: Mapping[str, str], variable: str, default: int) -> int:
    """Returns the port that a variable names, or the default, whether it is free or not."""
    return _number(variable, settings[variable]) if settings.get(variable) else default


def is_free(port: int) -> bool:
    """Whether the port is free on both addresses that `localhost` can mean."""
    return all(_can_listen(family, address, port) for family, address in LOOPBACKS)


def _asked_for(variable: str, text: str, avoid: int, own_ports: frozenset[int]) -> int:
    port = _number(variable, text)
    if port == avoid:
        raise SetupError(
            f"{variable} is {port}, but the other program already uses that port. Give PORT and "
            "SIMULATOR_PORT different values."
        )
    if port not in own_ports and not is_free(port):
        raise SetupError(
            f"{variable} is {port}, but that port cannot be used: it is taken, or reserved for "
            f"root. Set {variable} to a free port, or leave it unset."
        )
    return port


def _number(variable: str, text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= LAST:
        return int(text)
    raise SetupError(f"{variable} must be a number from 1 to {LAST}. Correct it or leave it unset.")


def _can_listen(family: int, address: str, port: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Otherwise the port of a server that has just stopped counts as taken for a minute.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:  # a machine without IPv6 has no ::1 to share
        return error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return not _answers(family, address, port)


def _answers(family: int, address: str, port: int) -> bool:
    """Whether something listens on all addresses, which macOS does not count as taken."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0
