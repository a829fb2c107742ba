"""Words for addresses of this machine in settings (spec config.md 3.2, storage.md 7.2)."""

from __future__ import annotations

import ipaddress
import socket

_LOOPBACK = frozenset({"loopback", "localhost", "local"})
_OUTWARD = frozenset({"private", "public", "any"})
# Any address outside will do: connecting a datagram socket sends nothing.
_SOMEWHERE = ("192.0.2.1", 9)


def resolve_address(text: str) -> str:
    """Return the host for URLs: a word such as ``private`` becomes an address of this machine.

    Raises:
        ValueError: the word asks for an address that this machine does not have.
    """
    word = text.strip().lower()
    if word in _LOOPBACK:
        return "127.0.0.1"
    if word not in _OUTWARD:
        return text.strip()
    address = _outward_address()
    if address is None:
        raise ValueError("this machine has no address but loopback")
    if word != "any" and address.is_private != (word == "private"):
        raise ValueError(f"this machine's address, {address}, is not {word}")
    return str(address)


def with_port(host: str, port: int) -> str:
    """Return host and port as URLs have them: an address of IPv6 stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Tell whether a host can only be reached from this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _outward_address() -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SOMEWHERE)
        except OSError:
            return None
        return ipaddress.ip_address(probe.getsockname()[0])


def address_meant(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address without its zone; one of IPv4 that is written as IPv6 is that of IPv4.

    Raises:
        ValueError: it is no address.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address
