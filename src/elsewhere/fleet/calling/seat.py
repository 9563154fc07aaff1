"""One host of a pool: reached, and tried again later where it cannot be.

Rule: all of it is the engine's loop's, but for what is told to the driver.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from elsewhere.errors import ElsewhereError, HostKeyError, Unauthorized, WorkerStartError
from elsewhere.fleet.calling.line import HostLine
from elsewhere.fleet.calling.words import candidates

if TYPE_CHECKING:
    from elsewhere.fleet.link.link import Link

__all__ = ["Seat"]

PAUSE = 5.0  # seconds until a host that cannot be used is tried again, doubled each time
LONGEST_PAUSE = 60.0
LONGEST = 4096  # characters of a program's path


class _Told(Protocol):
    """The driver, as far as a seat knows it."""

    def post(self, event: Callable[..., None], *args: Any) -> None: ...
    def up(self, seat: Seat, hello: dict[str, Any]) -> None: ...
    def out(self, seat: Seat, error: ElsewhereError) -> None: ...


class Seat:
    """See the module.

    Args:
        number: in the pool, from 0.
        name: of the host.
        link: gives its connection, on the loop.
        own: nobody else uses that, and it is closed with this.
        python: the interpreter that the user has named, or None.
        loop: the engine's.
        early: its connection is being made, and this is done when it is.

    Attributes:
        spare: a line that has begun and is no worker's yet.
        failures: interpreters that did not start since one did.
        error: why it is not used, or None.
        cores: that it says it has.
        limited: it did not give as many channels as were wanted.
    """

    def __init__(
        self,
        number: int,
        name: str,
        link: Callable[[], Link],
        own: bool,
        python: str | None,
        loop: asyncio.AbstractEventLoop,
        early: Future[None] | None = None,
    ) -> None:
        self.number = number
        self.name = name
        self.spare: HostLine | None = None
        self.failures = 0
        self.cores = 1
        self.limited = False
        self.error: ElsewhereError | None = None
        self._get_link = link
        self._link: Link | None = None
        self._own = own
        self._first = candidates(python)
        self._programs = self._first
        self._loop = loop
        self._driver: _Told
        self._early = early
        self._pause = PAUSE
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    # ---- from the thread that drives ---------------------------------------------------------------------------------

    def reach(self, driver: _Told, *, again: bool = False) -> None:
        """Find out whether it can be used; the driver is told.

        Args:
            driver: whose.
            again: not at once: it was reached, and no interpreter could be used there.
        """
        self._driver = driver
        self._soon(lambda: self._reach(again))

    def line(self) -> HostLine:
        """A new line to it; it was reached."""
        spare, self.spare = self.spare, None
        if spare is not None:
            return spare
        assert self._link is not None
        line = HostLine(self.name, self._link, self._programs, self._loop)
        self._soon(line.begin)
        return line

    def heard(self, hello: dict[str, Any]) -> int:
        """It is up; how many cores it says it has."""
        self.error, self.failures, self.limited = None, 0, False
        program = hello.get("executable")
        if isinstance(program, str) and program.startswith("/") and "\0" not in program and len(program) < LONGEST:
            self._programs = (program, *self._first)  # the next ones need not search
        cores = hello.get("cores")
        self.cores = max(1, cores) if isinstance(cores, int) else 1
        return self.cores

    def close(self) -> None:
        """It is not wanted any more."""
        self._soon(self._close)

    def _soon(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and all with it
            self._loop.call_soon_threadsafe(what)

    # ---- on the loop -------------------------------------------------------------------------------------------------

    def _reach(self, again: bool) -> None:
        if self._closed or (self._task is not None and not self._task.done()):
            return
        if self._link is None:
            self._link = self._get_link()
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if again else PAUSE
        self._task = self._loop.create_task(self._again_and_again(self._link, self._pause if again else 0.0))

    async def _again_and_again(self, link: Link, pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            self._programs = self._first  # what was found may be another one now
            line = HostLine(self.name, link, self._programs, self._loop)
            early, self._early = self._early, None
            try:
                if early is not None:  # where that has failed, it would fail again
                    await asyncio.wrap_future(early)
                line.begin()
                hello = await asyncio.shield(line.hello)
            except ElsewhereError as error:
                self._driver.post(self._driver.out, self, error)
                if isinstance(error, Unauthorized | HostKeyError):
                    return  # it has refused us: failed logins lock accounts
            except asyncio.CancelledError:
                line.close()
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, this host cannot be used
                failure = WorkerStartError(f"{self.name}: {error!r}")
                failure.__cause__ = error
                self._driver.post(self._driver.out, self, failure)
            else:
                self.spare = line
                self._driver.post(self._driver.up, self, hello)
                return
            pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        if self.spare is not None:
            self.spare.close()
        if self._own and self._link is not None:
            self._link.links.close_soon(self._link)
