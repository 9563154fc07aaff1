"""Who may come in: requests that a browser was tricked into are turned away, and so is who does not know the token.

Rule: nothing of a body is read before all of this has been looked at. Any page on the Internet can make a browser send
requests to this machine, so none that a browser sends without asking first is answered:

- ``Host`` must be a name of this server, or an IP address: else a foreign name, which its owner lets point to this
  machine (DNS rebinding), would make a foreign page our own.
- ``Origin``, which browsers send with each POST, must be this server itself.
- the content type must be one that a foreign page cannot send without a question, which is answered by no.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import logging
import socket
from collections.abc import Iterable
from typing import Any, NamedTuple

__all__ = ["WHERE", "Guard", "Refused", "content_type"]

_log = logging.getLogger("elsewhere.rpc")
WHERE = "XML-RPC is posted to /RPC2, and JSON-RPC to /jsonrpc"
KNOWN = 256  # values of Host that are remembered
SCHEMES = {b"http": b"80", b"https": b"443"}
# Twice, each of these would be read differently by different programs.
SINGLE = frozenset({b"host", b"origin", b"authorization", b"content-type", b"content-length", b"content-encoding"})
CHALLENGE = b'Basic realm="elsewhere", charset="UTF-8"'

Headers = dict[bytes, bytes]


class Refused(Exception):
    """A request that is turned away.

    Attributes:
        status: HTTP's.
        headers: for the answer.
    """

    def __init__(self, status: int, text: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.headers = list(headers)


class Names(NamedTuple):
    """Under which names a server may be reached, in lower case.

    Attributes:
        exact: hosts.
        below: domains, with their dot in front, any host of which is one.
        anything: each name is one.
    """

    exact: frozenset[str]
    below: tuple[str, ...]
    anything: bool

    @classmethod
    def of(cls, bound: Iterable[str], allowed: Iterable[str]) -> Names:
        """
        Args:
            bound: hosts of the addresses that are listened at.
            allowed: `allowed_hosts`: a name, ``"*.domain"``, or ``"*"``; a port behind it counts for origins only.
        """
        exact, below, anything = {"localhost"}, [], False
        for host in bound:
            exact.add(host.lower())
            if host in {"0.0.0.0", "::"}:
                exact.add(socket.gethostname().lower())
        for name in allowed:
            host = name.lower().rsplit(":", 1)[0] if name.rpartition(":")[2].isdecimal() else name.lower()
            if host == "*":
                anything = True
            elif host.startswith("*."):
                below.append(host[1:])
            else:
                exact.add(host)
        return cls(frozenset(exact), tuple(below), anything)

    def has(self, host: str) -> bool:
        """Is this one of them? IP addresses are: no foreign name is behind them."""
        if self.anything or host in self.exact or host.endswith((*self.below, ".localhost")):
            return True
        try:
            ipaddress.ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return False
        return True


class Guard:
    """Looks at the headers of each request.

    Args:
        bound: hosts of the addresses that are listened at.
        allowed: names besides, see `Service`.
        token: that must be known; None for none.
    """

    def __init__(self, bound: Iterable[str], allowed: Iterable[str], token: bytes | None) -> None:
        allowed = [name.lower() for name in allowed]
        self._names = Names.of(bound, allowed)
        self._origins = frozenset(name.encode() for name in allowed if "*" not in name)
        self._token = token
        self._known: set[bytes] = set()

    def admit(self, scope: Any) -> Headers:
        """The headers of a request that may come in, by their names in lower case.

        Raises:
            Refused: it may not.
        """
        given = scope["headers"]
        headers: Headers = dict(given)
        if len(headers) != len(given):
            _check_single(given)
        host = headers.get(b"host")
        if host is None:
            if scope["http_version"] != "1.0":
                raise Refused(400, "a request of HTTP/1.1 says by Host whom it is for")
        elif host not in self._known:
            self._check_host(host)
        origin = headers.get(b"origin")
        if origin is not None:
            self._check_origin(origin.lower(), (host or b"").lower(), scope.get("scheme"))
        if self._token is not None:
            self._check_token(headers.get(b"authorization"), self._token)
        return headers

    def _check_host(self, host: bytes) -> None:
        name = host.decode("latin-1").lower()
        if not name.endswith("]"):  # of an IPv6 address without a port
            front, colon, port = name.rpartition(":")
            name = front if colon and port.isdecimal() else name
        if not self._names.has(name.removesuffix(".")):
            raise Refused(
                421, f"this service is not known as {name!r:.200}: it may be named in Service(allowed_hosts=[...])"
            )
        if len(self._known) < KNOWN:
            self._known.add(host)

    def _check_origin(self, origin: bytes, host: bytes, scheme: str | None) -> None:
        kind, _, place = origin.partition(b"://")
        port = SCHEMES.get(kind)
        if port is not None and place and not (kind == b"http" and scheme == "https"):
            here = {place, place.removesuffix(b":" + port)}
            if host.removesuffix(b":" + port) in here or here & self._origins:
                return
        raise Refused(403, f"a page of {origin.decode('latin-1')!r:.200} may not call this service")

    def _check_token(self, given: bytes | None, token: bytes) -> None:
        if given is None:
            raise Refused(401, "this service wants a token: as a bearer, or as a password", _challenges())
        kind, _, secret = given.partition(b" ")
        found = secret.strip()
        if kind.lower() == b"basic":
            try:
                found = base64.b64decode(found, validate=True).partition(b":")[2]
            except binascii.Error:
                found = b""
        elif kind.lower() != b"bearer":
            found = b""
        if not hmac.compare_digest(found, token):
            _log.warning("a wrong token was sent over HTTP")
            raise Refused(401, "this service wants another token", _challenges())


def content_type(headers: Headers, allowed: Iterable[str], example: str) -> None:
    """Raise unless the body is said to be of an allowed type.

    Raises:
        Refused: it is of another, or of none.
    """
    given = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    if given not in allowed and not any(kind.startswith("+") and given.endswith(kind) for kind in allowed):
        told = repr(given)[:80] if given else "none"
        text = f"the content type is {told}, and must be {example}: {WHERE}"
        raise Refused(415, text, [(b"accept-post", example.encode())])


def _challenges() -> list[tuple[bytes, bytes]]:
    return [(b"www-authenticate", CHALLENGE), (b"www-authenticate", b'Bearer realm="elsewhere"')]


def _check_single(given: Iterable[tuple[bytes, bytes]]) -> None:
    seen: set[bytes] = set()
    for name, _ in given:
        if name in SINGLE and name in seen:
            raise Refused(400, f"the header {name.decode('latin-1')} came twice")
        seen.add(name)
