"""One post of one client, over whichever of its connections is free."""

from __future__ import annotations

import base64
import re
import time
from typing import Any, NoReturn
from urllib.parse import quote

from elsewhere.errors import ConnectError, ConnectTimeout, MessageTooLarge, ProtocolError
from elsewhere.rpc import codes
from elsewhere.rpc.calling.http.bodies import JSON, Body
from elsewhere.rpc.calling.http.lines import Line, Lines
from elsewhere.rpc.calling.http.reply import Broken, Overdue, Reply
from elsewhere.rpc.calling.http.senders import Posted
from elsewhere.rpc.calling.terms import Terms, late, lost
from elsewhere.transport.address import Address
from elsewhere.transport.tls import TLS

__all__ = ["Posting", "authorization"]


class Posting:
    """See the module.

    Args:
        address: where to; one of HTTP.
        secret: the value of the Authorization header; None for none. It never shows.
        tls: for ``https://``.
        name: what the far side may call this client in its logs.
        max_size: bytes of the largest body, both ways.

    Attributes:
        ours: the far side has said that it is one of our own services.
    """

    def __init__(
        self, address: Address, *, secret: str | None, tls: TLS | None, name: str | None, max_size: int
    ) -> None:
        self.target = address
        self.address = str(address)
        self.closed = False
        self.ours = False
        speaks, path = address.speaks
        self.body: Body = JSON(max_size) if speaks == "jsonrpc" else _xml(max_size)
        self.lines = Lines(address, tls, max_size)
        self._answered = False  # at least once, in HTTP
        self._head = _head(address, path, self.body.kind, secret, name)

    def post(self, method: str, data: bytes, terms: Terms, began: float, call: Posted | None = None) -> Reply:
        """The reply to a request.

        Args:
            method: what is called, for texts.
            data: the body.
            terms: of the call.
            began: when it began; of `time.monotonic`.
            call: whose it is, if it can be cancelled: its `channel` is then the connection meanwhile.

        Raises:
            CallTimeout: the limit was over before.
            ConnectError, ConnectTimeout: there is no connection; nothing has run.
            ConnectionLost: it ended before the reply; the call may have run.
            ProtocolError, MessageTooLarge: what came back is none.
        """
        deadline = began + terms.limit
        while True:
            line = self._taken(method, terms, began)
            used = line.used
            try:
                if call is not None:
                    line.held_by(call)
                    call.channel = line
                    if call.dropped:  # just before that, so that nobody has ended the connection
                        raise lost(method, self.address, "it was cancelled", never=True)
                head = b"%b%bContent-Length: %d\r\n\r\n" % (self._head, _limit(deadline), len(data))
                reply = line.post(head, data, deadline)
            except Broken as error:
                if error.never and used and not self.closed:
                    continue  # it had ended while it was idle, and nothing of the call has arrived
                raise self._broken(method, error) from error.__cause__
            except Overdue as where:
                raise late(method, self.address, terms, time.monotonic() - began, str(where)) from None
            except MessageTooLarge as error:
                raise MessageTooLarge(
                    f"{method} at {self.address}: {error}", size=error.size, limit=error.limit
                ) from None
            except ProtocolError as error:
                raise self._no_http(method, error) from error.__cause__
            finally:
                if call is not None:
                    call.channel = None
                    line.held_by(None)
                self.lines.release(line, new=not used)
            self._answered = True
            self.ours = self.ours or codes.OURS.lower() in reply.headers
            return reply

    def _taken(self, method: str, terms: Terms, began: float) -> Line:
        if self.closed:
            self.is_closed()
        try:
            return self.lines.take(began + terms.limit)
        except ConnectTimeout as error:
            elapsed = time.monotonic() - began
            if elapsed < terms.limit:
                raise
            raise late(method, self.address, terms, elapsed, f"was not sent yet: {error}") from error

    def _broken(self, method: str, error: Broken) -> Exception:
        reason = "the client was closed" if self.closed else str(error)
        if not (self._answered or self.closed or error.never):
            reason += self._other_door()
        return lost(method, self.address, reason, never=error.never, cause=error.__cause__)

    def _no_http(self, method: str, error: ProtocolError) -> ProtocolError:
        hint = "" if self._answered else self._other_door()
        return ProtocolError(f"{method} at {self.address}: {error}{hint}")

    def _other_door(self) -> str:
        target = self.target
        if target.carrier == "unix":
            return f". If it is no server of HTTP, try {Address('unix', path=target.path)}"
        scheme = "tls" if target.encrypted else "tcp"
        return f". If it is no server of HTTP, try {Address(scheme, target.host, target.port)}"

    def is_closed(self) -> NoReturn:
        """Say so."""
        raise ConnectError(f"the client of {self.address} is closed", address=self.address, phase="closed")


def _xml(limit: int) -> Body:
    from elsewhere.rpc.calling.http.xml import XML

    return XML(limit)


def _limit(deadline: float) -> bytes:
    """The header that tells the far side how long it has."""
    if deadline == float("inf"):
        return b""
    return b"%b: %.3f\r\n" % (codes.TIMEOUT.encode(), max(0.001, deadline - time.monotonic()))


def _head(address: Address, path: str, kind: str, secret: str | None, name: str | None) -> bytes:
    """All of a request's head but what each call says itself."""
    host = f"[{address.host.partition('%')[0]}]" if ":" in address.host else _ascii(address)
    port = "" if address.port in {0, 443 if address.encrypted else 80} else f":{address.port}"
    fields = {
        "Host": f"{host}{port}",
        "User-Agent": "elsewhere" if name is None else f"elsewhere ({quote(name, ' ')})",
        "Content-Type": kind,
        "Accept": kind,
        # On this very machine that would cost more than it saves.
        "Accept-Encoding": "identity" if address.loopback else "gzip",
    }
    if secret is not None:
        fields["Authorization"] = secret
    lines = [f"POST {path} HTTP/1.1", *(f"{key}: {value}" for key, value in fields.items()), ""]
    return "\r\n".join(lines).encode()


def _ascii(address: Address) -> str:
    if not address.host:
        return "localhost"  # of a Unix socket
    try:
        return address.host.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f"{address} has a host that is no name: {address.host!r}") from None


def authorization(token: Any, user: Any, password: Any) -> str | None:
    """The value of the header that tells who calls.

    Args:
        token: for a bearer.
        user, password: or for basic authentication.

    Raises:
        ValueError: there are both, or one half of the second, or characters that no header has.
    """
    if user is None and password is None:
        if token is None:
            return None
        if not token or re.search(r"[\x00-\x20\x7f]", token):
            raise ValueError("token= has characters that no header of HTTP can hold, such as blanks; or none at all")
        return f"Bearer {token}"
    if token is not None:
        raise ValueError("token= is one way to say who calls, user= and password= another: give one of them")
    if user is None or password is None:
        raise ValueError("user= and password= go together")
    if ":" in user or re.search(r"[\x00-\x1f\x7f]", user + password):
        raise ValueError("user= has no colon, and neither it nor password= control characters")
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
