"""What `imap` and `imap_unordered` give to the user: an iterator and an async iterator over one stream.

Rule: when the iterator is gone, so is its work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Generic, TypeVar, cast

from elsewhere.pool.outcomes.results import Raised
from elsewhere.pool.outcomes.stream import NOTHING, StreamJob

__all__ = ["ImapIterator"]

T = TypeVar("T")


class ImapIterator(Iterator[T], AsyncIterator[T], Generic[T]):
    """Results one by one, for ``for`` and ``async for``.

    A call's exception is raised at its place, and ``next()`` goes on with the call after it, as in multiprocessing.
    """

    def __init__(self, job: StreamJob, pool: object) -> None:
        self._job = job
        self._pool: object = pool  # an iterator in use keeps its pool

    def __iter__(self) -> ImapIterator[T]:
        return self

    def __next__(self) -> T:
        return self._open(self._job.wait_for_one(None))

    def next(self, timeout: float | None = None) -> T:
        """The next result.

        Args:
            timeout: seconds to wait for it; None for no limit.

        Raises:
            TimeoutError: it is not there yet; also a `multiprocessing.TimeoutError`. The calls go on.
            StopIteration: there are no more.
            Exception: that of the call.
        """
        value = self._job.wait_for_one(timeout)
        if value is NOTHING:
            from elsewhere.runtime.compat import GetTimeout

            raise GetTimeout(f"no result within {timeout} s; the calls go on")
        return self._open(value)

    def __aiter__(self) -> ImapIterator[T]:
        return self

    async def __anext__(self) -> T:
        try:
            value = self._job.take_one()
            while value is NOTHING:
                await self._wait()
                value = self._job.take_one()
        except StopIteration:
            raise StopAsyncIteration from None
        return self._open(value)

    async def _wait(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        waiter = loop.create_future()

        def settle() -> None:
            if not waiter.done():
                waiter.set_result(None)

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(settle)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

        self._job.call_when_ready(wake)
        await waiter

    def _open(self, value: Any) -> T:
        if type(value) is Raised:
            if self._job.return_exceptions:
                return cast(T, value.error)
            raise value.error
        return cast(T, value)

    def close(self) -> None:
        """Drop what is left."""
        job = self._job
        if not (job.driver.inherited() or (job.exhausted and job.done == job.fed)):
            job.drop()

    def __del__(self) -> None:
        self.close()
