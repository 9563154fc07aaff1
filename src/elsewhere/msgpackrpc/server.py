"""The server."""

from __future__ import annotations

import logging
import threading
from typing import Any

from elsewhere.msgpackrpc import error as _error
from elsewhere.msgpackrpc.compat import force_str
from elsewhere.msgpackrpc.loop import Loop
from elsewhere.msgpackrpc.message import RESPONSE
from elsewhere.msgpackrpc.transport import tcp

__all__ = ["AsyncResult", "Server"]

_log = logging.getLogger("elsewhere.msgpackrpc")


class Server:
    """Lets clients call the methods of an object.

    They run one at a time, in the thread that has called `start`; one that takes long returns an `AsyncResult`. A
    method's exception is answered with its text. Names that begin with an underscore cannot be called.

    Args:
        dispatcher: the object, or a class whose static and class methods are meant.
        loop: what serves it; several servers may share one.
        builder: `msgpackrpc.transport.tcp`.
        pack_encoding: of each str that is sent.
        unpack_encoding: of each str that arrives; None leaves it bytes, as the original does.
    """

    def __init__(
        self,
        dispatcher: Any,
        loop: Loop | None = None,
        builder: Any = tcp,
        pack_encoding: str | None = "utf-8",
        unpack_encoding: str | None = None,
    ) -> None:
        if not hasattr(builder, "ServerTransport"):
            raise TypeError(f"a builder is msgpackrpc.transport.tcp, or something like it, and not {builder!r}")
        self._loop = loop or Loop()
        self._builder = builder
        self._encodings = (pack_encoding, unpack_encoding)
        self._listeners: list[Any] = []
        self._dispatcher = dispatcher

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as ``tcp://host:port``."""
        return [listener.address for listener in self._listeners]

    def listen(self, address: Any) -> None:
        """Listen there too; connections wait until `start`.

        Raises:
            OSError: the address is in use, is not of this machine, or may not be used; says so in a sentence.
            TypeError, LookupError: the address is none, or Python does not know an encoding.
        """
        listener = self._builder.ServerTransport(address, self._encodings)
        listener.listen(self)
        self._listeners.append(listener)

    def start(self) -> None:
        """Serve, until `stop` is called from a method, another thread or a signal handler."""
        self._loop.start()

    def stop(self) -> None:
        """Let `start` return, when the method that runs has ended. Connections stay, until `close`."""
        self._loop.stop()

    def close(self) -> None:
        """Listen no more, and end all connections."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()

    # ---- what a subclass may do in its own way -----------------------------------------------------------------------

    def on_request(self, sendable: Any, msgid: int, method: str, param: list[Any]) -> None:
        self.dispatch(method, param, _Responder(sendable, msgid))

    def on_notify(self, method: str, param: list[Any]) -> None:
        self.dispatch(method, param, _NullResponder(method))

    def dispatch(self, method: str | bytes, param: list[Any], responder: Any) -> None:
        """Run a method and give its outcome to the responder's `set_result` or `set_error`."""
        try:
            method = force_str(method)
            if not self._callable(method):
                raise _error.NoMethodError(f"'{method}' method not found")
            result = getattr(self._dispatcher, method)(*param)
            if isinstance(result, AsyncResult):
                result.set_responder(responder)
            else:
                responder.set_result(result)
        except Exception as error:  # noqa: BLE001 - whatever the method raised is its answer
            responder.set_error(_text(error))

    def _callable(self, method: str) -> bool:
        if method.startswith("_"):
            return False
        if isinstance(self._dispatcher, type):  # and not what `type` has, such as mro
            return any(method in vars(base) for base in self._dispatcher.__mro__)
        return hasattr(self._dispatcher, method)


class AsyncResult:
    """What a method returns whose result comes later: `set_result` or `set_error` answers, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._responder: Any = None
        self._result: tuple[Any, Any] | None = None

    def set_result(self, value: Any, error: Any = None) -> None:
        """Answer the call, once: what comes later is ignored.

        Raises:
            Exception: whatever the codec says of a value that it cannot pack; the caller gets its text.
        """
        with self._lock:
            responder = self._responder
            if responder is None:
                self._result = (value, error)
        if responder is not None:
            responder.set_result(value, error)

    def set_error(self, error: Any, value: Any = None) -> None:
        """Answer the call with an error, which is anything but None."""
        self.set_result(value, error)

    def set_responder(self, responder: Any) -> None:
        """For the server: the method has returned."""
        with self._lock:
            self._responder = responder
            result, self._result = self._result, None
        if result is not None:
            responder.set_result(*result)


class _Responder:
    """Answers one request, once."""

    def __init__(self, sendable: Any, msgid: int) -> None:
        self._sendable = sendable
        self._msgid = msgid
        self._lock = threading.Lock()
        self._sent = False

    def set_result(self, value: Any, error: Any = None) -> None:
        with self._lock:
            if self._sent:
                return
            self._sent = True
        try:
            self._sendable.send_message([RESPONSE, self._msgid, error, value])
        except Exception as problem:  # the far side waits all the same
            self._sendable.send_message([RESPONSE, self._msgid, _text(problem), None])
            raise

    def set_error(self, error: Any, value: Any = None) -> None:
        self.set_result(value, error)


class _NullResponder:
    """Nobody waits for the outcome of a notification; the log hears of an error."""

    def __init__(self, method: str) -> None:
        self._method = method

    def set_result(self, value: Any, error: Any = None) -> None:
        if error is not None:
            _log.warning("the notification %s failed: %s", self._method, error)

    def set_error(self, error: Any, value: Any = None) -> None:
        self.set_result(value, error)


def _text(error: Exception) -> str:
    """``str(error)``, whatever that raises."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot even say what it is
        return type(error).__name__
