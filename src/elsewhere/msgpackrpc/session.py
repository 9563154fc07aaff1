"""A client's side of a connection: calls out, answers in."""

from __future__ import annotations

import time
from typing import Any

from elsewhere.msgpackrpc.error import TimeoutError, TransportError  # noqa: A004 - the original's name
from elsewhere.msgpackrpc.future import Future
from elsewhere.msgpackrpc.loop import Loop
from elsewhere.msgpackrpc.transport import tcp

__all__ = ["Session"]


class Session:
    """Calls the methods of a server; see `elsewhere.msgpackrpc.Client`, which is one."""

    def __init__(
        self,
        address: Any,
        timeout: float | None,
        loop: Loop | None = None,
        builder: Any = tcp,
        reconnect_limit: int = 5,
        pack_encoding: str | None = "utf-8",
        unpack_encoding: str | None = None,
    ) -> None:
        if not hasattr(address, "unpack"):
            raise TypeError(f"an address is made by Address(host, port), and is not {address!r}")
        if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float))):
            raise TypeError(f"a timeout is a number of seconds, or None, and not {timeout!r}")
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"a timeout is a number of seconds from 0, which is for ever, and not {timeout!r}")
        if not hasattr(builder, "ClientTransport"):
            raise TypeError(f"a builder is msgpackrpc.transport.tcp, or something like it, and not {builder!r}")
        self._loop = loop or Loop()
        self._address = address
        self._timeout = timeout
        self._transport = builder.ClientTransport(
            self, address, reconnect_limit, encodings=(pack_encoding, unpack_encoding)
        )
        self._loop._attach(self)

    @property
    def address(self) -> Any:
        return self._address

    def call(self, method: str | bytes, *args: Any) -> Any:
        """The method's result.

        Raises:
            RPCError: the method raised; the argument is the error object of the answer.
            TimeoutError: no answer came within the session's timeout.
            TransportError: the connection could not be had, or has ended.
            Exception: whatever the codec says of arguments that it cannot pack.
        """
        return self.send_request(method, args).get()

    def call_async(self, method: str | bytes, *args: Any) -> Future:
        """Send the call and give its future; raises only what the codec says of arguments."""
        return self.send_request(method, args)

    def send_request(self, method: str | bytes, args: Any) -> Future:
        """`call_async`, with the arguments in a list or tuple."""
        name, params = _checked(method, args)
        future = Future(self._loop, self._timeout)
        try:
            self._transport.request(name, params, future)
        except (TimeoutError, TransportError) as error:
            if future._outcome(error, None):
                future._settle()
        return future

    def notify(self, method: str | bytes, *args: Any) -> None:
        """Call it without waiting; returns when it is sent, and nobody says what became of it.

        Raises:
            TimeoutError, TransportError: it could not be sent.
            Exception: whatever the codec says of arguments that it cannot pack.
        """
        name, params = _checked(method, args)
        self._transport.notify(name, params, time.monotonic() + self._timeout if self._timeout else None)

    def close(self) -> None:
        """Close the connection; calls that have no answer yet fail."""
        self._transport.close()

    def _pump(self) -> None:
        self._transport.attend()


def _checked(method: str | bytes, args: Any) -> tuple[str, list[Any]]:
    if isinstance(method, bytes):
        method = method.decode("utf-8", "surrogateescape")
    if not isinstance(method, str):
        raise TypeError(f"the name of a method is a str, and not {method!r}")
    if not isinstance(args, (list, tuple)):
        raise TypeError(f"arguments are a list or a tuple, and not {type(args).__name__}")
    return method, list(args)
