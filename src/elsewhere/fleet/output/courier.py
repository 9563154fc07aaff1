"""Takes what happens on hosts from the loop to those who show it or write it down, in a thread of its own.

A terminal that stands still, a pipe that nobody reads or a slow disk may block that thread, and never the loop. All
that an `Output` is told, it is told in this thread, one thing after another.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from elsewhere.fleet.output.base import Output

if TYPE_CHECKING:
    from elsewhere.fleet.host import Host

__all__ = ["Courier"]

MOST = 4 << 20  # bytes on their way to who shows them; more, and the far side has to wait
PATIENCE = 2.0  # seconds for what was interrupted to be shown
SIZE = 100  # bytes that anything counts as


class Courier:
    """See the module; made in the thread of who called the verb.

    Args:
        hosts: those of the verb.
        outputs: who is told.

    Attributes:
        error: what an output has raised; after that none is told anything.
    """

    def __init__(self, hosts: Sequence[Host], outputs: Sequence[Output]) -> None:
        self.error: BaseException | None = None
        self._hosts = hosts
        self._outputs = outputs
        self._news: deque[tuple[Callable[[], None], int]] = deque()
        self._size = 0
        self._begun = self._closing = self._enough = False
        self._condition = threading.Condition()
        self._room = asyncio.Event()
        self._over = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop
        self._failed: Callable[[], Any] = lambda: None
        context = contextvars.copy_context()  # a notebook's stdout looks there for its cell
        self._thread = threading.Thread(target=context.run, args=(self._deliver,), name="elsewhere-output", daemon=True)

    def abandon(self) -> None:
        """The verb is over. If it was cancelled before it began, a bar that was drawn already is closed."""
        if not self._begun:
            for output in self._outputs:
                output.abandon()

    # ---- on the loop -------------------------------------------------------------------------------------------------

    def begin(self, failed: Callable[[], Any]) -> None:
        """Start the thread.

        Args:
            failed: is called there where an output raises.
        """
        self._loop = asyncio.get_running_loop()
        self._failed = failed
        self._begun = True
        self._room.set()
        self._post(lambda: self._each(lambda output: output.begin(self._hosts)))
        self._thread.start()

    def sink(self, host: Host) -> Callable[[str, bytes], Awaitable[None] | None]:
        """Takes what a host writes; where it gives something, that is to be awaited before more is read."""

        def sink(stream: str, data: bytes) -> Awaitable[None] | None:
            self._post(lambda: self._each(lambda output: output.came(host, stream, data)), len(data))
            return None if self._room.is_set() else self.room()

        return sink

    def ended(self, host: Host, outcome: Any, seconds: float) -> None:
        """A host has its outcome."""
        self._post(lambda: self._each(lambda output: output.ended(host, outcome, seconds)))

    async def room(self) -> None:
        """Returns when there is not too much on its way."""
        await self._room.wait()

    async def end(self, *, interrupted: bool = False) -> None:
        """Returns when everything is shown; where that was interrupted, after `PATIENCE` at the latest.

        Who is cancelled here wants no more of what hosts wrote; outcomes are told all the same.
        """
        with self._condition:
            self._closing = True
            self._condition.notify()
        try:
            async with asyncio.timeout(PATIENCE if interrupted else None):
                await self._over.wait()
        except TimeoutError:
            self._enough = True
            return  # it hangs in a write, and ends with the program
        except asyncio.CancelledError:
            self._enough = True
            raise
        self._thread.join()

    def _post(self, news: Callable[[], None], size: int = 0) -> None:
        if self.error is not None:
            return
        with self._condition:
            self._news.append((news, size + SIZE))
            self._size += size + SIZE
            if self._size > MOST:
                self._room.clear()
            self._condition.notify()

    # ---- in the thread -----------------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        try:
            while self._batch():
                pass
        except BaseException as error:  # noqa: BLE001 - it is raised again where the verb was called
            self.error = error
            self._tell(self._room.set)
            self._tell(self._failed)
        for output in self._outputs:
            try:
                output.end()
            except BaseException as error:  # noqa: BLE001 - likewise; the others are told all the same
                self.error = self.error or error
        self._tell(self._over.set)

    def _batch(self) -> bool:
        """Tell what there is; False when that was all."""
        with self._condition:
            while not self._news and not self._closing:
                self._condition.wait()
            news = list(self._news)
            self._news.clear()
            closing = self._closing
        for tell, size in news:
            if size == SIZE or not self._enough:
                tell()
        self._each(lambda output: output.flush())
        with self._condition:
            full, self._size = self._size > MOST, self._size - sum(size for _, size in news)
            if full and self._size <= MOST:
                self._tell(self._room.set)
        return not (closing and not self._news)

    def _each(self, tell: Callable[[Output], None]) -> None:
        for output in self._outputs:
            tell(output)

    def _tell(self, what: Callable[[], Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before us: nobody waits any more
            self._loop.call_soon_threadsafe(what)
