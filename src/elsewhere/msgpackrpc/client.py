"""The client."""

from __future__ import annotations

from typing import Any, Literal

from elsewhere.msgpackrpc.loop import Loop
from elsewhere.msgpackrpc.session import Session
from elsewhere.msgpackrpc.transport import tcp

__all__ = ["Client"]


class Client(Session):
    """Calls the methods of a server. Any number of threads may use one.

    It connects when something is sent, and again when the connection has ended since.

    Args:
        address: an `Address`.
        timeout: seconds for each call, connecting included; None or 0 for ever.
        loop: whose `start` may stand for `Future.join`.
        builder: `msgpackrpc.transport.tcp`.
        reconnect_limit: how often to try before a call fails for want of a connection.
        pack_encoding: of each str that is sent.
        unpack_encoding: of each str that arrives; None leaves it bytes, as the original does.

    Raises:
        TypeError, ValueError, LookupError: an argument is none of these.
    """

    def __init__(
        self,
        address: Any,
        timeout: float | None = 10,
        loop: Loop | None = None,
        builder: Any = tcp,
        reconnect_limit: int = 5,
        pack_encoding: str | None = "utf-8",
        unpack_encoding: str | None = None,
    ) -> None:
        super().__init__(address, timeout, loop, builder, reconnect_limit, pack_encoding, unpack_encoding)

    @classmethod
    def open(cls, *args: Any, **kwargs: Any) -> Client.Context:
        """``with Client.open(address) as client:`` closes it at the end."""
        return cls.Context(cls(*args, **kwargs))

    class Context:
        """See `Client.open`."""

        def __init__(self, client: Client) -> None:
            self._client = client

        def __enter__(self) -> Client:
            return self._client

        def __exit__(self, *exc: object) -> Literal[False]:
            self._client.close()
            return False
