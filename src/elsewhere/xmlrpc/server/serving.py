"""The servers, on top of `socketserver.TCPServer`."""

from __future__ import annotations

import errno
import logging
import socketserver
import threading
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

from elsewhere.xmlrpc.server.bodies import fault_body
from elsewhere.xmlrpc.server.dispatching import Dispatch, SimpleXMLRPCDispatcher
from elsewhere.xmlrpc.server.guards import is_loopback
from elsewhere.xmlrpc.server.handler import SimpleXMLRPCRequestHandler
from elsewhere.xmlrpc.server.visits import Visits

__all__ = ["MultiPathXMLRPCServer", "SimpleXMLRPCServer"]

log = logging.getLogger("elsewhere.xmlrpc")
SCARCE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
PAUSE = 0.2  # seconds without a look for connections, when the system has no more descriptors or memory

Handler = Callable[[Any, Any, Any], socketserver.BaseRequestHandler]


class SimpleXMLRPCServer(socketserver.TCPServer, SimpleXMLRPCDispatcher):
    """Serves functions over XML-RPC, as `xmlrpc.server` has it.

    In `serve_forever` each connection has a thread of its own and is kept for further calls, so that methods run at the
    same time. `handle_request` serves one connection with one request, in the thread that calls it.

    Args:
        addr: host and port; port 0 is a free one, told by `server_address`.
        requestHandler: what serves a connection.
        logRequests: a line for each request, on stderr.
        allow_none: may results be or hold None?
        encoding: of answers; None is UTF-8.
        bind_and_activate: listen at once; else after `server_bind()` and `server_activate()`.
        use_builtin_types: arguments of type base64 and dateTime.iso8601 are bytes and datetime.

    Attributes:
        max_connections: so many at once; for one more, the one goes that has waited longest for a request.
        one_at_a_time: methods do not overlap: for functions that share data without a lock.
        shutdown_timeout: seconds that methods which run may take as `serve_forever` ends; then their connections are
            cut off.

    Raises:
        OSError: it cannot listen there.
    """

    allow_reuse_address = True
    request_queue_size = 128  # with 5, which is socketserver's, clients that come together wait for a second
    max_connections = 256
    one_at_a_time = False
    shutdown_timeout = 30.0

    # For debugging: answers of status 500 tell everybody the exception and its traceback.
    _send_traceback_header = False

    _server_thread: threading.Thread | None = None  # which is in serve_forever

    def __init__(
        self,
        addr: Any,
        requestHandler: Handler = SimpleXMLRPCRequestHandler,  # noqa: N803 - the name is xmlrpc.server's
        logRequests: bool = True,  # noqa: N803 - the name is xmlrpc.server's
        allow_none: bool = False,
        encoding: str | None = None,
        bind_and_activate: bool = True,
        use_builtin_types: bool = False,
    ) -> None:
        self.logRequests = logRequests
        SimpleXMLRPCDispatcher.__init__(self, allow_none, encoding, use_builtin_types)
        socketserver.TCPServer.__init__(self, addr, requestHandler, bind_and_activate)

    # Made when they are asked for: some subclasses call the constructors of the two bases, and not ours.

    @cached_property
    def _visits(self) -> Visits:
        return Visits(self.max_connections)

    @cached_property
    def _lock(self) -> threading.Lock:
        return threading.Lock()

    @property
    def _turn(self) -> threading.Lock | None:
        """What a method is called under, if they are not to overlap."""
        return self._lock if self.one_at_a_time else None

    # ---- listening ---------------------------------------------------------------------------------------------------

    def server_activate(self) -> None:
        if not is_loopback(self.server_address):
            host, port = self.server_address[:2]
            warnings.warn(
                f"{host!r}, port {port}, can be reached from other machines, and whoever reaches it may call this "
                "server's methods: SimpleXMLRPCServer knows neither encryption nor passwords. elsewhere.Service has "
                "both; ('localhost', port) is this machine alone",
                RuntimeWarning,
                stacklevel=4,
            )
        super().server_activate()

    def get_request(self) -> tuple[Any, Any]:
        if getattr(self.socket, "do_handshake_on_connect", False):
            self.socket.do_handshake_on_connect = False  # type: ignore[attr-defined]  # TLS: its connection's thread does
        try:
            return self.socket.accept()
        except OSError as error:
            if error.errno in SCARCE:  # it would be tried again at once, and again
                log.error("%s: nothing can be accepted just now: %s", self.server_address, error.strerror)
                self._visits.rest(PAUSE)
            raise

    # ---- serving -----------------------------------------------------------------------------------------------------

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve until `shutdown` is called, from a method, another thread or a signal handler's thread.

        Then, or when an exception ends it, connections end after the request that they are at; at most
        `shutdown_timeout` seconds are waited for that.

        Args:
            poll_interval: seconds until `shutdown` is noticed, at most.
        """
        self._visits.start()
        self._server_thread = threading.current_thread()
        try:
            super().serve_forever(poll_interval)
        finally:
            self._server_thread = None
            self._end_visits()

    def handle_request(self) -> None:
        """Serve one connection with one request, or more if the handler's `protocol_version` says so."""
        if self._server_thread is None:
            self._visits.start()
        super().handle_request()

    def shutdown(self) -> None:
        """Let `serve_forever` end; returns when nothing more is accepted."""
        self._visits.stop()
        super().shutdown()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._server_thread is not threading.current_thread():
            super().process_request(request, client_address)
            return
        if not self._visits.room():
            self.shutdown_request(request)
            return
        thread = threading.Thread(
            target=self._serve, args=(request, client_address), name="elsewhere-xmlrpc", daemon=True
        )
        self._visits.enter(request).take(thread, kept=True)
        try:
            thread.start()
        except BaseException:  # there are no more threads, or a signal's exception has come
            if not thread.is_alive():
                self._visits.leave(request)
            raise

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001 - handle_error tells of it
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)
            self._visits.leave(request)

    def shutdown_request(self, request: Any) -> None:
        # A signal's exception in the thread that accepts lets socketserver close what it has just given to another.
        if not self._visits.is_of_another(request):
            super().shutdown_request(request)

    def finish_request(self, request: Any, client_address: Any) -> None:
        visit, me = self._visits.enter(request), threading.current_thread()
        if visit.thread is me:
            super().finish_request(request, client_address)
            return
        mixed_in: Any = socketserver.ThreadingMixIn.process_request
        # Only as long as serve_forever will see to it that it ends.
        visit.take(me, kept=type(self).process_request is mixed_in and self._server_thread is not None)
        try:
            super().finish_request(request, client_address)
        finally:
            self._visits.leave(request)

    def server_close(self) -> None:
        """Listen no more; connections end after the request that they are at."""
        super().server_close()
        self._end_visits()

    def _end_visits(self) -> None:
        self._visits.stop()
        if left := self._visits.drain(self.shutdown_timeout):
            log.warning("%s: %d connections were cut off while their methods ran", self.server_address, left)


class MultiPathXMLRPCServer(SimpleXMLRPCServer):
    """Serves several dispatchers, each at a path of its own; the handler's `rpc_paths` must allow them.

    Attributes:
        dispatchers: by path.
    """

    def __init__(
        self,
        addr: Any,
        requestHandler: Handler = SimpleXMLRPCRequestHandler,  # noqa: N803 - the name is xmlrpc.server's
        logRequests: bool = True,  # noqa: N803 - the name is xmlrpc.server's
        allow_none: bool = False,
        encoding: str | None = None,
        bind_and_activate: bool = True,
        use_builtin_types: bool = False,
    ) -> None:
        self.dispatchers: dict[str, SimpleXMLRPCDispatcher] = {}
        super().__init__(addr, requestHandler, logRequests, allow_none, encoding, bind_and_activate, use_builtin_types)

    def add_dispatcher(self, path: str, dispatcher: SimpleXMLRPCDispatcher) -> SimpleXMLRPCDispatcher:
        """Let calls to a path go to this one; it is given back."""
        self.dispatchers[path] = dispatcher
        return dispatcher

    def get_dispatcher(self, path: str) -> SimpleXMLRPCDispatcher:
        """The one that was added for the path.

        Raises:
            KeyError: there is none.
        """
        return self.dispatchers[path]

    def _marshaled_dispatch(
        self, data: bytes | str, dispatch_method: Dispatch | None = None, path: str | None = None
    ) -> bytes:
        try:
            return self.dispatchers[path]._marshaled_dispatch(data, dispatch_method, path)  # type: ignore[index]  # None is missing
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - of a dispatcher that fails itself, or is missing
            return fault_body(error, allow_none=self.allow_none, encoding=self.encoding)
