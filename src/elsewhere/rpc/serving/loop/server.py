"""Connections on a loop of their own: for services none of whose methods blocks.

Rule: one thread, which runs the loop, accepts, reads, runs what is quick, and writes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from elsewhere.rpc.serving.arrivals import Arrival, Entrance, Source
from elsewhere.rpc.serving.engine import Engine
from elsewhere.rpc.serving.loop.opening import Opening
from elsewhere.rpc.serving.loop.protocol import Peer
from elsewhere.runtime.driving.loops import new_loop, run_loop

if TYPE_CHECKING:
    from elsewhere.rpc.web.listening.serving import Web

__all__ = ["LoopServing"]

_log = logging.getLogger("elsewhere.rpc")
PATIENCE = 2.0  # seconds for the loop's thread to end


class LoopServing:
    """Serves connections on a loop.

    Args:
        service: what is served.
        arrivals: where connections come from.

    Attributes:
        engine: of the service.
        loop: the loop.
        thread_id: of the thread that runs it.
        web: serves the connections of HTTP; None if there are none.
    """

    web: Web | None = None

    def __init__(self, service: Any, arrivals: Source) -> None:
        self.loop = new_loop()
        self.engine = Engine(service, self.loop)
        self.thread_id = 0
        self._arrivals = arrivals
        self._entrance = Entrance(
            arrivals,
            watch=lambda fd: self.loop.add_reader(fd, self._entrance.accept, fd),
            unwatch=self.loop.remove_reader,
            later=self.loop.call_later,
            welcome=self._greet,
            closing=lambda: self.engine.closing,
        )
        self._peers: set[Peer] = set()
        self._opening = Opening(
            self.loop, self.engine.limits.handshake, arrivals.gone, self._look_whether_all_have_gone
        )
        self._empty = threading.Event()
        self._thread = threading.Thread(target=self._run, name="elsewhere-rpc-loop", daemon=True)

    def start(self) -> None:
        """Accept from now on."""
        self.loop.call_soon(self._entrance.open)
        try:
            self._thread.start()
        except RuntimeError:
            self.loop.close()
            raise

    def _run(self) -> None:
        self.thread_id = threading.get_ident()
        run_loop(self.loop)

    def soon(self, work: Callable[[], object]) -> None:
        """Call it in the loop's thread; never, if that has ended."""
        try:
            self.loop.call_soon_threadsafe(work)
        except RuntimeError:
            _log.debug("the loop has ended before something could be done on it")

    # ---- new connections ---------------------------------------------------------------------------------------------

    def _greet(self, arrival: Arrival) -> None:
        limits, web = self.engine.limits, self.web
        count = len(self._peers) + len(self._opening) + (0 if web is None else web.count)
        if count >= limits.connections or self.engine.closing:
            self._entrance.warn("%s is turned away: there are %d connections", arrival.label, count)
            arrival.sock.close()
            self._arrivals.gone()
        elif web is not None and arrival.web:
            web.open(arrival)
        else:
            self._opening.begin(arrival, lambda: Peer(self, arrival.label))

    def _look_whether_all_have_gone(self) -> None:
        if self.engine.closing and not self._peers and not self._opening:
            self._empty.set()

    def came(self, peer: Peer) -> None:
        """A connection is open."""
        self._peers.add(peer)
        limits = self.engine.limits
        if not peer.session.authorized:
            peer.expect_token(limits.handshake)
        if limits.idle is not None:
            peer.expect(limits.idle)
        if self.engine.closing:
            self.loop.call_soon(peer.drain)

    def went(self, peer: Peer) -> None:
        """A connection is over."""
        self._peers.discard(peer)
        self._arrivals.gone()
        self._look_whether_all_have_gone()

    # ---- the end -----------------------------------------------------------------------------------------------------

    def stop_accepting(self) -> None:
        """Look at the listeners no more."""
        done = threading.Event()

        def stop() -> None:
            self._entrance.close()
            done.set()

        self.soon(stop)
        done.wait(PATIENCE)  # a plain function that blocks the loop holds up the end too, but not for ever

    def drain(self, seconds: float) -> bool:
        """Let what runs end, and refuse what comes; True if all of it has ended in time."""

        def drain() -> None:
            for peer in list(self._peers):
                peer.drain()
            self._look_whether_all_have_gone()

        # Two turns: in the first, what had come by now is read.
        self.soon(lambda: self.loop.call_soon(drain))
        return self._empty.wait(seconds)

    def mine(self) -> bool:
        """Is the calling thread the loop's?"""
        return threading.current_thread() is self._thread

    def hurry(self) -> None:
        """`drain` is to wait no longer."""
        self._empty.set()

    def stop(self) -> None:
        """End everything now."""

        def stop() -> None:
            for peer in list(self._peers):
                peer.abort()
            self.loop.call_soon(self.loop.stop)

        self.soon(stop)
        self._thread.join(PATIENCE)
