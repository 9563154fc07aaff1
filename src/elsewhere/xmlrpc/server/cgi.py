"""One call or one page for each process that a web server starts (https://www.rfc-editor.org/rfc/rfc3875)."""

from __future__ import annotations

import os
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from elsewhere.xmlrpc.server.dispatching import SimpleXMLRPCDispatcher

__all__ = ["CGIXMLRPCRequestHandler"]


class CGIXMLRPCRequestHandler(SimpleXMLRPCDispatcher):
    """Answers the call that a web server hands to a CGI program, as `xmlrpc.server` has it.

    Args:
        allow_none, encoding, use_builtin_types: as for `SimpleXMLRPCDispatcher`.

    Attributes:
        max_body: bytes of a request's body; more is answered 413.
    """

    max_body = 64 << 20

    def handle_xmlrpc(self, request_text: bytes | str) -> None:
        """Answer a call, on stdout."""
        _send("", "text/xml", self._marshaled_dispatch(request_text))

    def handle_get(self) -> None:
        """Answer a GET, which is no call."""
        self._refuse(HTTPStatus.BAD_REQUEST)

    def _refuse(self, status: HTTPStatus) -> None:
        values = {"code": status.value, "message": status.phrase, "explain": status.description}
        page = (BaseHTTPRequestHandler.error_message_format % values).encode()
        _send(f"Status: {status.value} {status.phrase}", BaseHTTPRequestHandler.error_content_type, page)

    def handle_request(self, request_text: bytes | str | None = None) -> None:
        """Answer what the web server asks for.

        Args:
            request_text: a call; None: what stdin and the environment say.
        """
        if request_text is None and os.environ.get("REQUEST_METHOD") == "GET":
            self.handle_get()
        elif request_text is None:
            body = self._read()
            if body is None:
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            else:
                self.handle_xmlrpc(body)
        else:
            self.handle_xmlrpc(request_text)

    def _read(self) -> bytes | str | None:
        """The body; None: it is too large."""
        try:
            length = int(os.environ.get("CONTENT_LENGTH", ""))
        except ValueError:
            length = -1
        if length > self.max_body:
            return None
        stdin = getattr(sys.stdin, "buffer", sys.stdin)  # a length is one of bytes
        body: bytes | str = stdin.read(self.max_body + 1 if length < 0 else length)
        return None if len(body) > self.max_body else body


def _send(status: str, content_type: str, body: bytes) -> None:
    head = [status, f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "", ""]
    sys.stdout.write("\n".join(head[0 if status else 1 :]))
    sys.stdout.flush()
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()
