"""A call's way to a server and back: `Transport` over HTTP, `SafeTransport` over HTTPS."""

from __future__ import annotations

import base64
import http.client
import sys
import urllib.parse
import zlib
from collections.abc import Iterable
from typing import Any
from xmlrpc.client import Fault, ProtocolError, ResponseError

from elsewhere.xmlrpc.client.coding import GzipDecodedResponse, gzip_encode
from elsewhere.xmlrpc.client.connections import Connection, SecureConnection
from elsewhere.xmlrpc.client.keeping import Kept, Slot, gone_cold
from elsewhere.xmlrpc.client.unmarshalling import getparser

__all__ = ["SafeTransport", "Transport"]

_DRAINED = 64 << 10  # bytes of an error page that are read so that the connection can go on
Host = Any  # "user:password@host:port", or that and what `HTTPSConnection` takes


class Transport:
    """Sends requests over connections that it keeps; any number of threads may do so at once, each over one of its own.

    Made to be subclassed, as the original: what a method is called for, it is called for here.

    A call is never sent twice, as the original does where a connection is lost: the server may have run it. Whether a
    kept connection is still good is looked at before it is used, and what could not be sent whole is sent again.

    Args:
        use_datetime: make `datetime.datetime` of times, instead of `DateTime`.
        use_builtin_types: that, and `bytes` of binary data, instead of `Binary`.
        headers: more headers of each request: pairs of name and value.
        timeout: seconds to wait for the connection, and for each next piece of an answer; None (the default) leaves it
            to ``socket.setdefaulttimeout``. Not in the original.

    Attributes:
        user_agent: the header of that name.
        accept_gzip_encoding: ask for answers as gzip.
        encode_threshold: send requests of more bytes than this as gzip; None (the default): none.
        idempotent: no call does harm if it runs twice: send what was lost with its connection once again. False.
        max_response: bytes that an answer may take, as gzip and unpacked; 64 MiB.
    """

    user_agent = f"Python-xmlrpc/{sys.version_info[0]}.{sys.version_info[1]} (elsewhere)"
    accept_gzip_encoding = True
    encode_threshold: int | None = None
    idempotent = False
    max_response = 64 << 20
    verbose: Any = False

    def __init__(
        self,
        use_datetime: bool = False,
        use_builtin_types: bool = False,
        *,
        headers: Iterable[tuple[str, str]] = (),
        timeout: float | None = None,
    ) -> None:
        self._use_datetime = use_datetime
        self._use_builtin_types = use_builtin_types
        self._headers = list(headers)
        self._timeout = timeout
        self._kept = Kept()

    # What the original keeps in two attributes, for subclasses that read and set them: here they are the thread's own.

    @property
    def _connection(self) -> tuple[Host, Any]:
        return self._kept.slot.connection

    @_connection.setter
    def _connection(self, connection: tuple[Host, Any]) -> None:
        self._kept.slot.connection = connection

    @property
    def _extra_headers(self) -> list[tuple[str, str]]:
        return self._kept.slot.headers

    @_extra_headers.setter
    def _extra_headers(self, headers: list[tuple[str, str]] | None) -> None:
        self._kept.slot.headers = headers or []

    def request(self, host: Host, handler: str, request_body: bytes, verbose: Any = False) -> Any:
        """Send a call, and wait for its answer.

        Args:
            host: of the URL, with what is before an ``@``.
            handler: of the URL, the path and what follows.
            request_body: the XML.
            verbose: print what is sent and what comes.

        Returns:
            The answer's value, as the only one of a tuple.

        Raises:
            Fault: the answer is one.
            ProtocolError: the server answered another status than 200.
            ResponseError: the answer is no XML-RPC, or too large.
            OSError, http.client.HTTPException: there is no connection, or it broke. If it broke once the call was sent
                (``http.client.RemoteDisconnected``, for one), the call may have run, which a note says.
        """
        slot = self._kept.lease(host)
        try:
            try:
                return self.single_request(host, handler, request_body, verbose)
            except (OSError, http.client.HTTPException) as error:
                again = self.idempotent if slot.sent else slot.reused
                if not again or not isinstance(error, ConnectionError):
                    if slot.sent:
                        error.add_note("The call was sent, so it may have run. It was not sent again.")
                    raise
            return self.single_request(host, handler, request_body, verbose)
        finally:
            self._kept.give_back(slot)

    def single_request(self, host: Host, handler: str, request_body: bytes, verbose: Any = False) -> Any:
        """As `request`, which calls it, but never more than once."""
        slot = self._kept.slot
        slot.reused = slot.sent = False
        try:
            response = self._exchange(slot, host, handler, request_body, verbose)
            if response.status == 200:
                self.verbose = verbose
                found = self.parse_response(response)
                if not slot.sent:
                    self.close()
                return found
            if len(response.read(_DRAINED)) == _DRAINED or not slot.sent:
                self.close()
        except Fault:
            raise
        except BaseException:
            self.close()  # nobody knows what would come next
            raise
        where = host[0] if isinstance(host, tuple) else host
        raise ProtocolError(
            where.rpartition("@")[2] + handler, response.status, response.reason, dict(response.getheaders())
        )

    def _exchange(self, slot: Slot, host: Host, handler: str, request_body: bytes, verbose: Any) -> Any:
        """Send it; the beginning of the answer."""
        try:
            connection = self.send_request(host, handler, request_body, verbose)
        except ConnectionError:
            early = self._early_answer(slot)
            if early is None:
                raise
            return early
        slot.sent = True
        return connection.getresponse()

    @staticmethod
    def _early_answer(slot: Slot) -> Any:
        """What the server answered before it had all of the request, and hung up; None if it did not."""
        connection = slot.connection[1]
        if getattr(connection, "sock", None) is None:  # it never came to be
            return None
        try:
            return connection.getresponse()
        except (OSError, http.client.HTTPException):
            return None

    def getparser(self) -> tuple[Any, Any]:
        """A parser for an answer, and the unmarshaller that it feeds."""
        return getparser(use_datetime=self._use_datetime, use_builtin_types=self._use_builtin_types)

    def get_host_info(self, host: Host) -> tuple[str, list[tuple[str, str]], dict[str, Any]]:
        """Of the host of a URL: the address, the headers for its user and password, and more for an HTTPSConnection.

        Args:
            host: ``"user:password@host:port"``; or a pair of that and a dict, which is given back.
        """
        x509: dict[str, Any] = {}
        if isinstance(host, tuple):
            host, x509 = host
        user, _, address = host.rpartition("@")
        if not user:
            return address, [], x509
        token = base64.b64encode(urllib.parse.unquote_to_bytes(user)).decode("ascii")
        return address, [("Authorization", f"Basic {token}")], x509

    def make_connection(self, host: Host) -> Any:
        """The connection to this host: the kept one, or a new one, which is opened when something is sent."""
        kept = self._connection
        if kept[1] is not None and host == kept[0]:
            return kept[1]
        self._kept.slot.close()
        address, self._extra_headers, x509 = self.get_host_info(host)
        connection = self._new_connection(address, x509)
        self._connection = host, connection
        return connection

    def _new_connection(self, address: str, x509: dict[str, Any]) -> http.client.HTTPConnection:
        return Connection(address, **self._options())

    def _options(self) -> dict[str, Any]:
        return {} if self._timeout is None else {"timeout": self._timeout}

    def close(self) -> None:
        """Close the connections; the next call opens another. Calls of other threads end first."""
        self._kept.close()

    def send_request(self, host: Host, handler: str, request_body: bytes, debug: Any) -> Any:
        """Send a whole request; the connection that its answer will come from."""
        connection = self.make_connection(host)
        if gone_cold(connection):
            connection.close()  # it opens itself again
        self._kept.slot.reused = getattr(connection, "sock", None) is not None
        headers = self._headers + self._extra_headers
        if debug:
            connection.set_debuglevel(1)
        if self.accept_gzip_encoding:
            connection.putrequest("POST", handler, skip_accept_encoding=True)
            headers.append(("Accept-Encoding", "gzip"))
        else:
            connection.putrequest("POST", handler)
        headers.append(("Content-Type", "text/xml"))
        headers.append(("User-Agent", self.user_agent))
        self.send_headers(connection, headers)
        self.send_content(connection, request_body)
        return connection

    def send_headers(self, connection: Any, headers: list[tuple[str, str]]) -> None:
        """Send these headers, pairs of name and value."""
        for name, value in headers:
            connection.putheader(name, value)

    def send_content(self, connection: Any, request_body: bytes) -> None:
        """End the headers, and send the body."""
        if self.encode_threshold is not None and self.encode_threshold < len(request_body):
            connection.putheader("Content-Encoding", "gzip")
            request_body = gzip_encode(request_body)
        connection.putheader("Content-Length", str(len(request_body)))
        connection.endheaders(request_body)

    def parse_response(self, response: Any) -> Any:
        """The value in an answer, as the only one of a tuple; raises as `request` does.

        Args:
            response: an `http.client.HTTPResponse`, or any file.
        """
        body = self._body(response)
        if self.verbose:
            print("body:", repr(body))  # noqa: T201 - that is what it was asked for
        parser, unmarshaller = self.getparser()
        parser.feed(body)
        parser.close()
        return unmarshaller.close()

    def _body(self, response: Any) -> bytes:
        most = self.max_response
        coding = response.getheader("Content-Encoding", "") if hasattr(response, "getheader") else ""
        if coding.strip().lower() == "gzip":
            try:
                with GzipDecodedResponse(response, most) as unpacked:
                    return unpacked.read()
            except (OSError, EOFError, zlib.error) as error:
                if isinstance(error, ConnectionError | TimeoutError):
                    raise
                raise ResponseError(f"the answer says that it is gzip, but is not: {error}") from error
        if (getattr(response, "length", None) or 0) > most:  # by its header
            raise GzipDecodedResponse.too_large(most)
        body: bytes = response.read(most + 1)
        if len(body) > most:
            raise GzipDecodedResponse.too_large(most)
        return body


class SafeTransport(Transport):
    """As `Transport`, over HTTPS.

    Args:
        use_datetime: as of `Transport`.
        use_builtin_types: as of `Transport`.
        headers: as of `Transport`.
        context: an `ssl.SSLContext`; None (the default): certificates are checked as `http.client` does.
        timeout: as of `Transport`.
    """

    def __init__(
        self,
        use_datetime: bool = False,
        use_builtin_types: bool = False,
        *,
        headers: Iterable[tuple[str, str]] = (),
        context: Any = None,
        timeout: float | None = None,
    ) -> None:
        super().__init__(use_datetime, use_builtin_types, headers=headers, timeout=timeout)
        self.context = context

    def _new_connection(self, address: str, x509: dict[str, Any]) -> http.client.HTTPConnection:
        return SecureConnection(address, context=self.context, **self._options(), **x509)
