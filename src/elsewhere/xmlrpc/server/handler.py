"""What a connection's requests are answered with, on top of `http.server.BaseHTTPRequestHandler`.

That class parses and writes HTTP. Here is what it leaves to others: how long a client may take, how much it may send,
where one request ends and the next begins, and which of them a browser was made to send.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Collection
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

from elsewhere.xmlrpc.server.bodies import gzip_decode, gzip_encode
from elsewhere.xmlrpc.server.connection import Incoming, Outgoing, Pace, Wire
from elsewhere.xmlrpc.server.guards import Refusal, foreign_host, foreign_origin, no_xml
from elsewhere.xmlrpc.server.visits import State, Visits

__all__ = ["SimpleXMLRPCRequestHandler"]

PIECE = 1 << 20  # bytes that are made room for at once, whatever a client has announced
SKIPPED = 64 << 10  # bytes of a body that nobody wanted which are read, so that the connection can go on
NO_HEADER = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect)
DIGITS = re.compile(r"[0-9]+")


class _Refused(Exception):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.refusal = Refusal(status, why)


class SimpleXMLRPCRequestHandler(BaseHTTPRequestHandler):
    """Takes each POST for a call of XML-RPC, as `xmlrpc.server` has it.

    Where its server has a thread for each connection, a connection is kept for the next request. A subclass that names
    a `protocol_version` gets that one.

    Attributes:
        rpc_paths: the paths that calls may be posted to; empty is any.
        encode_threshold: bytes; larger answers are compressed for clients that want it. None: never.
        timeout: seconds that a connection may be idle, and that one is waited for that neither takes nor sends more.
            None is for ever.
        head_timeout: seconds for a request's first line and headers.
        rate: bytes a second; who is slower than that for longer than `timeout` is too slow. 0: anybody is.
        max_body: bytes of a request's body, 64 MiB; more is answered 413 before it is read.
        max_decoded: bytes of a compressed body once it is decoded, 20 MiB as in `xmlrpc.client`.
        allowed_hosts: the names of this server that a browser may have reached it by; None: "localhost", IP addresses,
            and the machine's own name unless it listens at loopback.
        allowed_origins: whose pages may call it, such as "https://example.org", beside its own; "*" is all.
        xml_only: the content type must be XML, which browsers do not send unasked.
    """

    rpc_paths: Collection[str] = ("/", "/RPC2", "/pydoc.css")
    encode_threshold: int | None = 1400  # one packet of Ethernet
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves as one piece
    disable_nagle_algorithm = True
    timeout: ClassVar[float | None] = 60.0
    head_timeout = 20.0
    rate = 16 << 10
    max_body = 64 << 20
    max_decoded = 20 << 20
    allowed_hosts: Collection[str] | None = None
    allowed_origins: Collection[str] = ()
    xml_only = True

    aepattern = re.compile(r"\s*([^\s;]+)\s*(;\s*q\s*=\s*([0-9.]+))?", re.IGNORECASE)

    # ---- a connection ------------------------------------------------------------------------------------------------

    def setup(self) -> None:
        self.connection = self.request
        self._begin()

    def _begin(self) -> None:
        """Take the connection over, from a `setup` that knows only http.server's files too."""
        sock = self.connection
        visits: Visits | None = getattr(self.server, "_visits", None)
        self._visit = (Visits(1) if visits is None else visits).enter(self.request)
        self._wire = wire = Wire(sock)
        self._incoming = Incoming(wire, self.rbufsize if self.rbufsize > 1 else 8192)
        self.rfile = self._incoming
        self.wfile = Outgoing(wire, self.wbufsize if self.wbufsize >= 0 else 8192)
        self._framed = self._told = True
        if self.disable_nagle_algorithm and getattr(sock, "family", None) in {socket.AF_INET, socket.AF_INET6}:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        if not self._says_its_version() and not self._visit.kept:
            self.protocol_version = "HTTP/1.0"  # whose connections end with the answer: others wait for this thread

    def _says_its_version(self) -> bool:
        """Has a subclass chosen?"""
        defines = next(one for one in type(self).__mro__ if "protocol_version" in vars(one))
        return defines is not SimpleXMLRPCRequestHandler

    def handle(self) -> None:
        if not hasattr(self, "_wire"):
            self._begin()
        try:
            super().handle()
        except OSError:
            if not self._wire.broken:
                raise
            self.close_connection = True  # the client has gone, which is no error of ours

    def finish(self) -> None:
        try:
            self.wfile.flush()
        except OSError:
            self._wire.broken = True
        if not self._wire.broken and self._incoming.unread and not hasattr(self.connection, "context"):
            self._wire.hear_out()
        self._wire.broken = True
        self.wfile.close()
        self.rfile.close()

    # ---- a request ---------------------------------------------------------------------------------------------------

    def handle_one_request(self) -> None:
        self._wire.writing = Pace(self.timeout, self.rate)
        if not self._comes():
            self.raw_requestline, self.close_connection = b"", True
            self._incoming.begin_body(0)
            return
        super().handle_one_request()
        if self._incoming.left > SKIPPED or self._wire.broken:
            self.close_connection = True
        if not self.close_connection:
            self._incoming.skip()

    def _comes(self) -> bool:
        """Wait for a request; False: there will be none."""
        self._wire.reading = Pace(self.timeout)
        try:
            if not self._visit.go(State.WAITS) or not self._incoming.wait() or not self._visit.go(State.READS):
                return False
        except OSError:
            return False  # idle for too long, or gone: nothing has begun
        self._wire.reading = Pace(self.head_timeout)
        self._incoming.begin_head()
        return True

    def parse_request(self) -> bool:
        return bool(super().parse_request()) and self._body_begins()

    def handle_expect_100(self) -> bool:
        if not self._body_begins():
            return False
        going_on = super().handle_expect_100()
        self.wfile.flush()  # the client waits for it
        return going_on

    def _body_begins(self) -> bool:
        """Is it known where the request ends, and is that near enough? If not, the client is told."""
        lengths = {text.strip() for text in self.headers.get_all("Content-Length", ["0"])}
        given = lengths.pop()
        wrong = None
        if any(isinstance(defect, NO_HEADER) for defect in self.headers.defects):  # a proxy may have thought otherwise
            wrong = Refusal(400, "A line among the headers is none")
        elif "Transfer-Encoding" in self.headers:
            wrong = Refusal(411, "Send a Content-Length: a Transfer-Encoding is not understood here")
        elif lengths or not DIGITS.fullmatch(given):
            wrong = Refusal(400, "Content-Length is not one number")
        elif len(given) > 19 or int(given) > self.max_body:
            text = f"The body has {given[:20]} bytes and may have {self.max_body} (max_body of this server's handler)"
            wrong = Refusal(413, text)
        if wrong is not None:
            self.send_error(*wrong)
            return False
        self._wire.reading = Pace(self.timeout, self.rate)
        self._incoming.begin_body(int(given))
        return True

    # ---- a call ------------------------------------------------------------------------------------------------------

    def accept_encodings(self) -> dict[str, float]:
        """What the client takes: the encodings of Accept-Encoding, and how gladly."""
        found: dict[str, float] = {}
        for one in self.headers.get("Accept-Encoding", "").split(","):
            if match := self.aepattern.match(one):
                try:
                    found[match[1]] = float(match[3]) if match[3] else 1.0
                except ValueError:
                    found[match[1]] = 0.0
        return found

    def is_rpc_path_valid(self) -> bool:
        return not self.rpc_paths or self.path in self.rpc_paths

    def do_POST(self) -> None:
        """Answer a call."""
        if not self.is_rpc_path_valid():
            self.report_404()
            return
        if refusal := self._refusal():
            self.send_error(*refusal)
            return
        try:
            data = self.decode_request_content(self._body())
            if data is None:
                return  # it has answered
            if not self._visit.go(State.WORKS):
                self.close_connection = True
                return
            response = self._dispatched(data)
        except _Refused as error:
            self.send_error(*error.refusal)
        except Exception as error:
            if self._wire.broken:
                raise
            self._report_500(error)
        else:
            self._answer(response)

    def _refusal(self) -> Refusal | None:
        found = no_xml(self.headers) if self.xml_only else None
        if found is None and "Origin" in self.headers:
            found = foreign_host(self.headers, self._bound(), self.allowed_hosts)
            found = found or foreign_origin(self.headers, self.allowed_origins)
        return found

    def _bound(self) -> Any:
        return getattr(self.server, "server_address", ("", 0))

    def _body(self) -> bytes:
        given = self.headers["content-length"]
        if given is None:
            raise _Refused(411, "Send a Content-Length: without it nobody knows where the body ends")
        length = int(given)
        pieces: list[bytes] = []
        while length:
            piece = self.rfile.read(min(length, PIECE))
            if not piece:
                raise _Refused(400, f"The body ends {length:,} bytes too early")
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    def decode_request_content(self, data: bytes) -> bytes | None:
        """The body without its compression; None: it was answered that it has none that is known."""
        encoding = self.headers.get("content-encoding", "identity").lower()
        if encoding == "identity":
            return data
        if encoding == "gzip":
            try:
                return gzip_decode(data, self.max_decoded)
            except (ValueError, EOFError):
                self.send_response(400, "error decoding gzip content")
        else:
            self.send_response(501, f"encoding {encoding!r} not supported".encode("ascii", "replace").decode())
        self.send_header("Content-length", "0")
        self.end_headers()
        return None

    def _dispatched(self, data: bytes) -> bytes:
        dispatch = getattr(self, "_dispatch", None)  # a subclass may have one, and then it is the one that counts
        server: Any = self.server
        turn = getattr(server, "_turn", None)
        if turn is None:
            return bytes(server._marshaled_dispatch(data, dispatch, self.path))
        with turn:
            return bytes(server._marshaled_dispatch(data, dispatch, self.path))

    # ---- an answer ---------------------------------------------------------------------------------------------------

    def _answer(self, response: bytes) -> None:
        threshold = self.encode_threshold
        packed = threshold is not None and len(response) > threshold and self.accept_encodings().get("gzip", 0) > 0
        if packed:
            response = gzip_encode(response)
        self.send_response(200)
        self.send_header("Content-type", "text/xml")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-length", str(len(response)))
        self.end_headers()
        self.wfile.write(response)

    def _report_500(self, error: Exception) -> None:
        self.send_response(HTTPStatus.INTERNAL_SERVER_ERROR)
        if getattr(self.server, "_send_traceback_header", False):
            import traceback

            for name, text in (("X-exception", str(error)), ("X-traceback", traceback.format_exc())):
                self.send_header(name, text.encode("unicode_escape").decode("ascii"))
        self.send_header("Content-length", "0")
        self.end_headers()

    def report_404(self) -> None:
        """Answer that there is nothing at this path."""
        response = b"No such page"
        self.send_response(404)
        self.send_header("Content-type", "text/plain")
        self.send_header("Content-length", str(len(response)))
        self.end_headers()
        self.wfile.write(response)

    # Each answer says where it ends; one of a subclass that does not, in HTTP/1.0's way, ends with the connection.

    def send_response_only(self, code: int, message: str | None = None) -> None:
        self._framed = code < 200 or code in {204, 304}
        self._told = code < 200
        super().send_response_only(code, message)

    def send_header(self, keyword: str, value: str) -> None:
        name = keyword.lower()
        self._framed = self._framed or name in {"content-length", "transfer-encoding"}
        self._told = self._told or name == "connection"
        super().send_header(keyword, value)

    def end_headers(self) -> None:
        if not self._framed or self._visit.last or self._incoming.left > SKIPPED:
            self.close_connection = True
        if self.protocol_version >= "HTTP/1.1" and not self._told:
            if self.close_connection:
                self.send_header("Connection", "close")
            elif self.request_version == "HTTP/1.0":
                self.send_header("Connection", "keep-alive")
        super().end_headers()

    # ---- the log -----------------------------------------------------------------------------------------------------

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log an answer, if the server logs its requests."""
        if getattr(self.server, "logRequests", True):
            super().log_request(code, size)

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Log what a client did wrong, if the server logs its requests: or anybody could fill a disk."""
        if getattr(self.server, "logRequests", True):
            super().log_error(format, *args)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        if sys.stderr is not None:  # as under pythonw, and in some daemons
            super().log_message(format, *args)

    def address_string(self) -> str:
        """The client's address; a Unix socket's client has none."""
        return str(self.client_address[0]) if self.client_address else "unix"
