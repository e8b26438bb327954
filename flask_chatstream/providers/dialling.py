"""Connecting to a provider, so that the attempt can be broken off at any moment."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address
from time import monotonic
from typing import Any

from .exchange import Exchange


def open_socket(host: str, port: int, deadline: float, exchange: Exchange) -> socket.socket:
    """A connection to the first address that takes one; half of the time is kept for the next."""

    addresses = _find_addresses(host, port)

    for remaining, (family, kind, protocol, _, address) in zip(
        range(len(addresses) - 1, -1, -1), addresses, strict=True
    ):
        sock = socket.socket(family, kind, protocol)
        left = max(0.001, deadline - monotonic())

        try:
            exchange.hold(sock)
            sock.settimeout(left / 2 if remaining else left)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError:
            drop(sock, exchange)
            exchange.check()
            if not remaining:
                raise
        except BaseException:
            drop(sock, exchange)
            raise

    raise OSError("the name has no address")


def _find_addresses(host: str, port: int) -> list[Any]:
    """What a name stands for. One that is an address already is not looked up, which gevent would
    do in a thread."""

    try:
        IPv4Address(host)
    except ValueError:
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)

    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port))]


def drop(sock: socket.socket, exchange: Exchange) -> None:
    """Close a socket that nobody is to break off any more."""

    exchange.let_go()
    sock.close()
