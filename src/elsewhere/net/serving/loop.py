"""Handlers on an event loop, which runs in a thread of its own.

Rule: as in `crew.py`, nobody accepts what cannot be served: with `max_connections` under way the listening sockets are
not looked at.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from elsewhere.errors import ConnectionLost, SocketTimeout
from elsewhere.net.connecting import peer_of
from elsewhere.net.limits import Limits, Statistics
from elsewhere.net.serving.crew import PAUSE
from elsewhere.net.serving.flag import Flag
from elsewhere.net.serving.handlers import Handler
from elsewhere.net.serving.replies import Replies
from elsewhere.net.serving.streams import Protocol, Reader, Writer
from elsewhere.runtime.driving.loops import new_loop
from elsewhere.transport.connecting import tune
from elsewhere.transport.listening import SCARCE, Listener

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Loop"]

log = logging.getLogger("elsewhere.net")
BATCH = 16  # things taken from one socket before others have their turn
LINGER = 1.0  # seconds to hear a client out, and to say goodbye
PATIENCE = 2.0  # seconds that handlers have to end when they are cancelled
GOODBYE = 1.0  # seconds for TLS's last words


class Loop:
    """Serves some listeners on a loop; see `Threads`, whose twin it is."""

    def __init__(
        self, listeners: Sequence[Listener], handler: Handler, limits: Limits, context: SSLContext | None
    ) -> None:
        self._listeners = listeners
        self._handler = handler
        self._limits = limits
        self._context = context
        self._addresses = {sock: listener.address for listener in listeners for sock in listener.sockets}
        self._datagrams = listeners[0].address.scheme == "udp"
        self._tasks: set[asyncio.Task[None]] = set()
        self._shaking: set[asyncio.Task[Any]] = set()  # in TLS's handshake
        self._readers: set[Reader] = set()
        self._counts: Counter[str] = Counter()
        self._looking = False
        self._stopped = False
        self._said = 0.0
        self._idle = Flag()
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, name="elsewhere-net-loop", daemon=True)

    # ---- from outside ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()
        self._loop = self._ready.result()

    def statistics(self) -> Statistics:
        return Statistics(open=len(self._tasks), **dict(self._counts))

    def mine(self) -> bool:
        """Is the calling thread the loop's?"""
        return threading.current_thread() is self._thread

    def stop(self) -> Flag:
        """Accept no more, and let readers that are between two messages find the end of the file.

        Returns:
            A flag: nothing runs any more.
        """
        self._tell(self._stop)
        return self._idle

    def end(self) -> int:
        """After `stop`: cancel what still runs, and wait a little; how many handlers have not ended."""
        self._tell(self._end)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            if not self._stopped:  # a handler holds up the loop
                self._close_forcibly()
            return max(1, len(self._tasks))
        self._idle.close()
        return 0

    def _close_forcibly(self) -> None:
        for sock in self._addresses:
            with suppress(OSError):  # a descriptor that uvloop watches is not closed before it lets go of it
                sock.shutdown(socket.SHUT_RDWR)
        for listener in self._listeners:
            listener.close()

    def _tell(self, what: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(what)

    # ---- the loop's thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(self._main())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)
        finally:
            self._idle.set()

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._replies = Replies(loop, self._handler, self._limits, self._counts)
        self._look()
        self._ready.set_result(loop)
        await self._ended.wait()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    def _stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        self._look_away()
        for listener in self._listeners:
            if not self._datagrams:  # replies still go out through these
                listener.close()
        for task in self._shaking:
            task.cancel()
        for reader in list(self._readers):
            reader.stop()
        self._check_idle()

    def _end(self) -> None:
        self._replies.close()
        for listener in self._listeners:
            listener.close()
        self._ended.set()

    def _check_idle(self) -> None:
        if self._stopped and not self._tasks:
            self._idle.set()

    # ---- what comes --------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self._looking or self._stopped or len(self._tasks) >= self._limits.max_connections:
            return
        self._looking = True
        for sock in self._addresses:
            asyncio.get_running_loop().add_reader(sock, self._take, sock)

    def _look_away(self) -> None:
        if self._looking:
            self._looking = False
            for sock in self._addresses:
                asyncio.get_running_loop().remove_reader(sock)

    def _take(self, sock: socket.socket) -> None:
        address = self._addresses[sock]
        for _ in range(BATCH):
            if len(self._tasks) >= self._limits.max_connections:
                self._look_away()
                return
            try:
                work = self._replies.take(sock, address) if self._datagrams else self._serve(sock.accept()[0], sock)
            except BlockingIOError:
                return
            except OSError as error:
                self._rest(error, sock)
                return
            self._counts["accepted"] += 1
            if work is not None:
                self._begin(work)

    def _rest(self, error: OSError, sock: socket.socket) -> None:
        if error.errno not in SCARCE:
            log.debug("%s: %s", self._addresses[sock], error)
            return
        loop = asyncio.get_running_loop()
        if loop.time() - self._said > 10:
            self._said = loop.time()
            log.error("%s: nothing can be accepted just now: %s", self._addresses[sock], error.strerror)
        self._look_away()
        loop.call_later(PAUSE, self._look)

    def _begin(self, work: Coroutine[Any, Any, str]) -> None:
        async def counted() -> None:
            outcome = "failed"
            try:
                outcome = await work
            finally:
                self._counts[outcome] += 1

        task = asyncio.get_running_loop().create_task(counted())
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: a bug in elsewhere", self._handler.name, exc_info=error)
        self._look()
        self._check_idle()

    # ---- streams -----------------------------------------------------------------------------------------------------

    async def _serve(self, sock: socket.socket, listening: socket.socket) -> str:
        address = self._addresses[listening]
        peer = peer_of(sock, address)
        name = f"a client of {address}" if address.scheme == "unix" else str(peer)
        reader = Reader(name, self._limits.idle_timeout)
        protocol = Protocol(reader)
        try:
            tune(sock)
            transport = await self._connected(sock, protocol, encrypted=address.scheme == "tls")
        except (OSError, asyncio.CancelledError) as error:
            sock.close()
            why = "the server closes" if isinstance(error, asyncio.CancelledError) else error
            log.info("%s: the connection of %s failed before it had begun: %s", address, name, why)
            return "refused"
        self._readers.add(reader)
        if self._stopped:
            reader.stop()
        writer = Writer(transport, protocol, reader, self._limits.idle_timeout)
        try:
            outcome = await self._handled(reader, writer, f"{address}", protocol)
            if outcome in {"handled", "failed"}:
                await self._part(reader, writer, protocol, heard=outcome == "handled")
            return outcome
        finally:
            self._readers.discard(reader)
            transport.abort()

    async def _connected(self, sock: socket.socket, protocol: Protocol, *, encrypted: bool) -> Any:
        """The transport; what uvloop gives besides is no protocol of ours."""
        sock.setblocking(False)
        bounds: dict[str, Any] = {}
        if encrypted:
            bounds = {
                "ssl": self._context,
                "ssl_handshake_timeout": self._limits.handshake_timeout,
                "ssl_shutdown_timeout": GOODBYE,
            }
        task = asyncio.current_task()
        assert task is not None
        self._shaking.add(task)
        try:
            connect = asyncio.get_running_loop().connect_accepted_socket
            transport, _ = await connect(lambda: protocol, sock, **bounds)
            return transport
        finally:
            self._shaking.discard(task)

    async def _handled(self, reader: Reader, writer: Writer, address: str, protocol: Protocol) -> str:
        """Run the handler; how it went."""
        try:
            await self._handler.function(reader, writer)
        except asyncio.CancelledError:
            if self._ended.is_set():
                raise
            log.exception("%s: the handler %s was cancelled", address, self._handler.name)
            return "failed"
        except Exception as error:  # a handler ends its own connection, never the server
            outcome = _outcome(error, reader)
            if outcome == "failed":
                log.exception("%s: the handler %s raised", address, self._handler.name)
            else:
                log.info("%s: %s: %s", address, reader.name, error)
            return outcome
        return "handled"

    async def _part(self, reader: Reader, writer: Writer, protocol: Protocol, *, heard: bool) -> None:
        """Close it, when what was written is out; see `Stream.part`."""
        bound = self._limits.idle_timeout
        try:
            async with asyncio.timeout(bound):
                if heard and reader.unread and writer.can_write_eof():
                    writer.write_eof()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LINGER):
                            while await reader.read(65536):
                                pass
                writer.close()
                await protocol.ended.wait()
        except (OSError, SocketTimeout):
            pass  # it is cut off


def _outcome(error: Exception, reader: Reader) -> str:
    """Is it the connection that has failed, or the handler?"""
    if isinstance(error, ConnectionLost | SocketTimeout) and error.address == reader.name:
        return "lost" if isinstance(error, ConnectionLost) else "timed_out"
    if isinstance(error, asyncio.IncompleteReadError) and reader.at_eof():
        return "lost"
    return "failed"
