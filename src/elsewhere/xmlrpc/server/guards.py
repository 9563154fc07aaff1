"""What a web page of somebody else could make a browser send, and how it is told from what a program sends.

A browser says so itself: it puts an ``Origin`` to each POST of a script, which the script cannot change, and sends no
XML without asking first. So programs, which send no ``Origin``, are asked for an XML content type and nothing more.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from email.message import Message
from typing import Any, NamedTuple
from urllib.parse import urlsplit

__all__ = ["Refusal", "foreign_host", "foreign_origin", "is_loopback", "no_xml"]

PORTS = {"http": 80, "https": 443}


class Refusal(NamedTuple):
    """Why a request is not served.

    Attributes:
        status: of HTTP.
        why: a sentence without line breaks.
    """

    status: int
    why: str


def is_loopback(address: Any) -> bool:
    """Is this the address of a socket that only this machine reaches?"""
    if not isinstance(address, tuple):
        return True  # a Unix socket
    try:
        return ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback
    except ValueError:
        return False


def no_xml(headers: Message) -> Refusal | None:
    """A content type that is not XML, or none where a browser sends it."""
    given = headers.get("Content-Type")
    if given is None and "Origin" not in headers:
        return None  # some old programs say nothing; a browser's script can say nothing, too
    kind = str(given or "").partition(";")[0].strip().lower()
    if kind in {"text/xml", "application/xml"} or (kind.startswith("application/") and kind.endswith("+xml")):
        return None
    return Refusal(415, f"XML-RPC comes as Content-Type: text/xml, not {_shown(given)}")


def foreign_origin(headers: Message, allowed: Collection[str]) -> Refusal | None:
    """A page of another server has sent it.

    Args:
        headers: of the request.
        allowed: origins that may, such as "https://example.org"; "*" is all.
    """
    origins = headers.get_all("Origin", [])
    if not origins or "*" in allowed or (len(origins) == 1 and origins[0] in allowed):
        return None
    place = _place(origins[0]) if len(origins) == 1 else None
    if place is not None and place == _place(f"//{headers.get('Host', '')}", origins[0]):
        return None
    return Refusal(
        403, f"pages of {_shown(origins[0])} may not call this server: allowed_origins of its handler says who"
    )


def foreign_host(headers: Message, bound: Any, allowed: Collection[str] | None) -> Refusal | None:
    """It is meant for a name that this server does not have, as when a foreign name was made to lead here.

    Args:
        headers: of the request.
        bound: the address of the server's socket.
        allowed: names that it has; "*" is all. None: this machine's, and each IP address.
    """
    given = headers.get("Host")
    if given is None or (allowed is not None and "*" in allowed):
        return None  # no browser leaves it out
    place = _place(f"//{given}")
    name = place[0] if place else ""
    if allowed is not None:
        well = name in {one.lower() for one in allowed}
    else:
        well = _own(name, bound)
    if well:
        return None
    return Refusal(403, f"this server is not {_shown(given)}: allowed_hosts of its handler has its names")


def _own(name: str, bound: Any) -> bool:
    """A page cannot be at an IP address that is not its server's, so that those need no list."""
    if not name:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return not is_loopback(bound) and name == socket.gethostname().lower()
    return True


def _place(url: str, like: str = "") -> tuple[str, int] | None:
    """Host and port; those of a URL without a scheme have the other's default port."""
    try:
        found = urlsplit(url)
        scheme = found.scheme or urlsplit(like).scheme
        host, port = found.hostname, found.port
    except ValueError:
        return None
    if not host:
        return None
    return host.lower().rstrip("."), PORTS.get(scheme, 0) if port is None else port


def _shown(text: object) -> str:
    """For the first line of an answer, which is no place for what a client likes to put there."""
    return ascii(str(text))[:100] if text else "none"
