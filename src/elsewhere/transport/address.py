"""Addresses: the URLs by which everything outside this process is named.

::

    tcp://host:6789   tls://host:6789   unix:///run/app.sock   unix://@name   udp://host:6789   udp://[::1]:6789
    http://host:8000/   https://host/RPC2   xmlrpc+http://host:9001/RPC2   jsonrpc+unix:///run/app.sock

What is spoken over HTTP may stand before a plus; where it does not, the path tells (`Address.speaks`).

Rule: an address that is wrong is said in one sentence, with the URL that was probably meant. What a server prints can
be pasted into `connect`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Self
from urllib.parse import quote, unquote

__all__ = ["HTTP", "STREAMS", "WEB", "Address"]

STREAMS = ("tcp", "tls", "unix")
SCHEMES = (*STREAMS, "udp")
HTTP = ("http", "https")
BODIES = {"xmlrpc": "/RPC2", "jsonrpc": "/jsonrpc"}  # what is spoken over HTTP, and where, if nothing is said
WEB = (*HTTP, *(f"{body}+{carrier}" for body in BODIES for carrier in (*HTTP, "unix")))
KNOWN = (*SCHEMES, *WEB)
PORT = {"http": 80, "https": 443}  # that is meant where none is given
LONGEST_PATH = 107  # bytes of a Unix socket's name, on Linux
PORTS = 65535
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[^\s:/\[\]]*):(\d+)")
_PATH_OF_SOCKET = "/@+-._~:,="
_PATH_OF_URL = "/%:@!$&'()*+,;=-._~?"  # what may stand in them as it is; all else is quoted


class Address(str):
    """One address: the URL itself, as a str, that knows its parts.

    Attributes:
        scheme: ``"tcp"``, ``"tls"``, ``"unix"``, ``"udp"``, ``"http"``, ``"https"``, or one of HTTP with what is spoken
            over it: ``"xmlrpc+http"``, ``"jsonrpc+unix"``, ...
        host: a name or an IP address, without brackets; "" for a Unix socket.
        port: 0 means any free one, when listening. HTTP's are 80 and 443 where none is given.
        path: a Unix socket's; a leading ``@`` stands for the abstract namespace of Linux. Of a URL of HTTP what follows
            the port, quoted as it is sent: "/" at least, and what is usual for a body that is named and has none.
    """

    __slots__ = ("host", "path", "port", "scheme")
    scheme: str
    host: str
    port: int
    path: str

    def __new__(cls, scheme: str, host: str = "", port: int = 0, path: str = "") -> Self:
        body, carrier = _parts(scheme)
        name = f"[{host}]" if ":" in host else host
        if carrier == "unix":
            self = super().__new__(cls, f"{scheme}://{quote(path, _PATH_OF_SOCKET, errors='surrogateescape')}")
        elif carrier in HTTP:
            path = quote(path, _PATH_OF_URL) or BODIES.get(body, "/")
            self = super().__new__(cls, f"{scheme}://{name}{'' if port == PORT[carrier] else f':{port}'}{path}")
        else:
            self = super().__new__(cls, f"{scheme}://{name}:{port}")
        self.scheme, self.host, self.port, self.path = scheme, host, port, path
        return self

    def __getnewargs__(self) -> tuple[str, str, int, str]:  # type: ignore[override]  # str's own has the text alone
        return self.scheme, self.host, self.port, self.path

    def but(self, *, host: str | None = None, port: int | None = None) -> Address:
        """The same with another host or port."""
        return Address(self.scheme, self.host if host is None else host, self.port if port is None else port, self.path)

    @classmethod
    def parse(cls, text: str | Address, schemes: tuple[str, ...] = SCHEMES) -> Address:
        """The address that a URL names.

        Args:
            text: the URL.
            schemes: those that are of use here.

        Raises:
            TypeError: it is no text.
            ValueError: it is no address, or none of use here; says what was probably meant.
        """
        if isinstance(text, Address):
            found = text
        elif isinstance(text, str):
            found = _parsed(text, schemes)
        else:
            raise TypeError(f"an address is a URL such as {schemes[0]}://localhost:6789, not {text!r}")
        if found.scheme not in schemes:
            raise ValueError(f"{found.scheme}:// is of no use here: the address may begin with {_listed(schemes)}")
        return found

    @property
    def carrier(self) -> str:
        """The scheme without what is spoken over it: ``"unix"`` of ``xmlrpc+unix://``."""
        return _parts(self.scheme)[1]

    @property
    def encrypted(self) -> bool:
        """Is TLS spoken there?"""
        return self.carrier in {"tls", "https"}

    @property
    def speaks(self) -> tuple[str, str]:
        """What is spoken at an address of HTTP, ``"xmlrpc"`` or ``"jsonrpc"``, and the path that is posted to.

        Without a plus, a path that ends in ``/RPC2`` means XML-RPC, and one that ends in a slash JSON-RPC at
        ``jsonrpc`` below it; any other is where JSON-RPC is spoken.
        """
        body, carrier = _parts(self.scheme)
        if body:
            return body, BODIES[body] if carrier == "unix" else self.path
        path, mark, query = self.path.partition("?")
        if path.endswith("/RPC2"):
            return "xmlrpc", self.path
        return "jsonrpc", f"{path}jsonrpc{mark}{query}" if path.endswith("/") else self.path

    @property
    def loopback(self) -> bool:
        """Can only programs of this machine reach it?"""
        if self.carrier == "unix" or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return False

    @property
    def name(self) -> str | bytes:
        """What `socket.bind` and `socket.connect` take for a Unix socket."""
        if self.path.startswith("@"):
            return b"\0" + self.path[1:].encode(errors="surrogateescape")
        return self.path


def _parsed(text: str, schemes: tuple[str, ...]) -> Address:
    scheme, parted, rest = text.partition("://")
    scheme = scheme.lower()
    if not parted:
        raise ValueError(f"{text!r} is no address: {_meant(text, schemes)}")
    if scheme not in KNOWN:
        raise ValueError(f"{text!r} begins with no scheme that is known here: it may be {_listed(schemes)}")
    if scheme not in schemes:
        raise ValueError(f"{scheme}:// is of no use here: the address may begin with {_listed(schemes)}")
    carrier = _parts(scheme)[1]
    if carrier == "unix":
        return _unix(text, scheme, unquote(rest, errors="surrogateescape"))
    if carrier in HTTP:
        return _web(text, scheme, rest)
    host, port = _host_and_port(text, scheme, rest.removesuffix("/"))
    return Address(scheme, host, port)


def _parts(scheme: str) -> tuple[str, str]:
    """What is spoken, or "", and what carries it."""
    body, _, carrier = scheme.rpartition("+")
    return body, carrier


def _web(text: str, scheme: str, rest: str) -> Address:
    """A URL of HTTP: the port may be left out, and a path may follow."""
    place, mark, path = re.fullmatch("([^/?#]*)([/?#]?)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]  # it always matches
    if "@" in place:
        raise ValueError(
            "an address holds no user or password: give secrets by their own arguments, token= or user= and password="
        )
    if mark == "#" or "#" in path:
        raise ValueError("an address holds no fragment: leave out the # and what follows it")
    if not path.isprintable() or not place.isprintable():
        raise ValueError(f"{text!r} has characters that no URL has")
    place = place.removesuffix(":")
    if ":" not in place or place.endswith("]"):
        place += f":{PORT[_parts(scheme)[1]]}"
    host, port = _host_and_port(text, scheme, place)
    return Address(scheme, host, port, f"/?{path}" if mark == "?" else f"{mark}{path}")


def _unix(text: str, scheme: str, path: str) -> Address:
    if not path.startswith(("/", "@")) or path in {"/", "@"}:
        absolute = quote(path.lstrip("/@"), _PATH_OF_SOCKET, errors="surrogateescape") or "run/app.sock"
        raise ValueError(
            f"{text!r} names no Unix socket: it takes an absolute path, {scheme}:///{absolute} with three slashes, "
            f"or {scheme}://@{absolute.replace('/', '-')} for a name without a file"
        )
    if "\0" in path or len(path.encode(errors="surrogateescape")) > LONGEST_PATH:
        raise ValueError(f"{text!r} is no name of a Unix socket: it may have {LONGEST_PATH} bytes, and no NUL")
    return Address(scheme, path=path)


def _host_and_port(text: str, scheme: str, rest: str) -> tuple[str, int]:
    if "@" in rest:
        raise ValueError("an address holds no user or password: give secrets by their own arguments, such as token=")
    if "/" in rest or "?" in rest or "#" in rest:
        shorter = re.split("[/?#]", rest)[0]
        raise ValueError(f"{text!r} has something behind the port: {scheme}://{shorter} is an address")
    found = _HOST_AND_PORT.fullmatch(rest)
    if found is None:
        if rest.count(":") > 1 and "[" not in rest:
            inner, _, last = rest.rpartition(":")
            raise ValueError(f"{text!r} has an IPv6 address without brackets: {scheme}://[{inner}]:{last} has them")
        host = rest.partition(":")[0] or "localhost"
        raise ValueError(f"{text!r} has no port, a number from 0 to {PORTS}: {scheme}://{host}:6789 has one")
    host, port = str(found[1]).strip("[]"), int(found[2])
    if not host:
        raise ValueError(
            f"{text!r} has no host: {scheme}://localhost:{port} is this machine, {scheme}://0.0.0.0:{port} is every "
            "network it is in"
        )
    if port > PORTS:
        raise ValueError(f"{text!r} has the port {port}, and ports are numbers up to {PORTS}")
    return host, port


def _meant(text: str, schemes: tuple[str, ...]) -> str:
    """What to write instead of an address without a scheme."""
    first = schemes[0]
    if text.isdecimal():
        return f"did you mean {first}://localhost:{text}?"
    if text.startswith(("/", "@", "./")) and "unix" in schemes:
        return f"did you mean unix://{text.removeprefix('.')}?"
    if _HOST_AND_PORT.fullmatch(text):
        host, _, port = text.rpartition(":")
        return f"did you mean {first}://{host or 'localhost'}:{port}?"
    if text and not re.search(r"[\s/]", text):
        return f"did you mean {first}://{text.rstrip(':')}:6789?"
    return f"it is a URL such as {first}://localhost:6789"


def _listed(schemes: tuple[str, ...]) -> str:
    *most, last = (f"{scheme}://" for scheme in schemes)
    return f"{', '.join(most)} or {last}" if most else last
