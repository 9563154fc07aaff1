"""From an accepted socket to a connection on a loop, with or without TLS."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from elsewhere.rpc.serving.arrivals import Arrival
from elsewhere.transport.connecting import tune

__all__ = ["Opening"]

_log = logging.getLogger("elsewhere.rpc")


class Opening:
    """Connections that are not open yet.

    Args:
        loop: theirs.
        handshake: seconds for that of TLS.
        gone: is called when one of them comes to nothing.
        done: is called when one of them is no longer among these.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handshake: float,
        gone: Callable[[], object],
        done: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._handshake = handshake
        self._gone = gone
        self._done = done
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, arrival: Arrival, make: Callable[[], asyncio.BaseProtocol]) -> None:
        """Open one, on the loop's thread; `make` makes its protocol."""
        arrival.sock.setblocking(False)
        tune(arrival.sock)
        task = self._loop.create_task(self._open(arrival, make))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _open(self, arrival: Arrival, make: Callable[[], asyncio.BaseProtocol]) -> None:
        sock, label, context, _ = arrival
        try:
            await self._loop.connect_accepted_socket(
                make,
                sock,
                ssl=context,
                ssl_handshake_timeout=None if context is None else self._handshake,
            )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            _log.warning("%s: TLS failed: %s", label, getattr(error, "reason", None) or error)
            sock.close()
            self._gone()
        except BaseException:  # the server ends meanwhile
            sock.close()
            raise

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._done()
