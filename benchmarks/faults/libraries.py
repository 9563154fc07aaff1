"""The pools under test, each asked in five ways: submit, map, imap, imap_unordered, await.

Rule: each way is the one that the library's own documentation shows for it; what it tells is told on.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import as_completed
from typing import Any

from benchmarks.faults.guilty import CALLS, Call

__all__ = ["LIBRARIES", "WAYS", "Library", "Run"]

WORKERS = 2
WAYS = ("submit", "map", "imap", "imap_unordered", "await")
SECONDS = 4.5  # what a waiting with a limit waits, all calls together: less than the runner's 5 s

Tell = Callable[..., None]


class Run:
    """The calls of one cell, and what the caller has come to know of them."""

    def __init__(self, fn: Call, timeout: float | None, tell: Tell) -> None:
        self.fn = fn
        self.timeout = timeout
        self.inputs = range(CALLS)
        self.waited_in_vain = 0
        self._deadline = time.monotonic() + SECONDS
        self._tell = tell

    @property
    def left(self) -> float:
        """Seconds that may still be waited."""
        return max(0.0, self._deadline - time.monotonic())

    def returned(self, value: Any, index: int | None = None) -> None:
        """A call has given a value."""
        if isinstance(value, bytes):  # the large reply came whole: a fault that came too late
            value = index if index is not None else "reply"
        right = value == "reply" or (value in self.inputs if index is None else value == index)
        self._tell(outcome="value" if right else "wrong value", index=index, at=time.monotonic())

    def raised(self, error: BaseException, index: int | None = None) -> None:
        """A call, or the waiting for all of them, has raised."""
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        self._tell(outcome="error", type=name, text=str(error)[:200], index=index, at=time.monotonic())

    # ---- the usual ways to wait ----------------------------------------------------------------------------------

    def futures(self, submit: Callable[[int], Any]) -> None:
        """Submit all, then wait for one after the other."""
        made = list(self._made(submit))
        for index, future in made:
            try:
                value = future.result(self.left)
            except BaseException as error:
                if isinstance(error, TimeoutError) and not future.done():
                    self.waited_in_vain += 1
                else:
                    self.raised(error, index)
            else:
                self.returned(value, index)

    def completed(self, submit: Callable[[int], Any]) -> None:
        """Submit all, then take them as they come."""
        futures = {future: index for index, future in self._made(submit)}
        left = len(futures)
        try:
            for future in as_completed(futures, timeout=self.left):
                left -= 1
                try:
                    value = future.result()
                except BaseException as error:
                    self.raised(error, futures[future])
                else:
                    self.returned(value, futures[future])
        except TimeoutError:
            self.waited_in_vain += left

    def awaited(self, submit: Callable[[int], Any]) -> None:
        """Submit all inside an event loop, then await each."""

        async def one(index: int, future: Any) -> None:
            try:
                value = await future
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self.raised(error, index)
            else:
                self.returned(value, index)

        async def all_of_them() -> None:
            tasks = [asyncio.ensure_future(one(index, future)) for index, future in self._made(submit)]
            pending = (await asyncio.wait(tasks, timeout=self.left))[1] if tasks else ()
            self.waited_in_vain += len(pending)

        asyncio.run(all_of_them())

    def all_at_once(self, call: Callable[[], Iterable[Any]]) -> None:
        """Wait for a list; an error in its place may carry what there is, as `results`."""
        try:
            values = call()
        except BaseException as error:
            values = getattr(error, "results", None) or []
            if not values:
                self.raised(error)
        for index, value in enumerate(values):
            if isinstance(value, BaseException):
                self.raised(value, index)
            else:
                self.returned(value, index)

    def one_by_one(self, make: Callable[[], Iterator[Any]], *, ordered: bool = True) -> None:
        """Iterate, and go on after an error as long as the iterator does."""
        try:
            values = iter(make())
        except BaseException as error:
            self.raised(error)
            return
        for index in range(CALLS + 1):
            place = index if ordered else None
            try:
                value = next(values)
            except StopIteration:
                return
            except BaseException as error:
                self.raised(error, place)
            else:
                self.returned(value, place)

    def _made(self, submit: Callable[[int], Any]) -> Iterator[tuple[int, Any]]:
        for index in self.inputs:
            try:
                yield index, submit(index)
            except BaseException as error:
                self.raised(error, index)


class Library:
    """A pool of 2 workers.

    Attributes:
        name: a column of the table.
        timeouts: whether its calls can be given a timeout.
        server: whether it has a fork server.
        lacks: the ways it has no feature for.
    """

    name = ""
    timeouts = False
    server = True
    lacks: tuple[str, ...] = ()

    def open(self, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
        """Make the pool."""
        raise NotImplementedError

    def warm(self, fn: Callable[[int], Any]) -> None:
        """Have its workers started and the function known."""
        raise NotImplementedError

    def ask(self, way: str, run: Run) -> None:
        """Make a run's calls in one of the five ways, and wait for them."""
        getattr(self, f"by_{way}")(run)


class Elsewhere(Library):
    name = "elsewhere"
    timeouts = True

    def open(self, initializer: Any, initargs: Any) -> None:
        from elsewhere import Pool

        self.pool: Any = Pool(WORKERS, initializer, initargs, on_exit="terminate")

    def warm(self, fn: Any) -> None:
        self.pool.map(fn, range(WORKERS))

    def _view(self, run: Run) -> Any:
        return self.pool.options(timeout=run.timeout)

    def by_submit(self, run: Run) -> None:
        view = self._view(run)
        run.futures(lambda value: view.submit(run.fn, value))

    def by_await(self, run: Run) -> None:
        view = self._view(run)
        run.awaited(lambda value: view.submit(run.fn, value))

    def by_map(self, run: Run) -> None:
        run.all_at_once(lambda: self._view(run).map(run.fn, run.inputs))

    def by_imap(self, run: Run) -> None:
        run.one_by_one(lambda: self._view(run).imap(run.fn, run.inputs))

    def by_imap_unordered(self, run: Run) -> None:
        run.one_by_one(lambda: self._view(run).imap_unordered(run.fn, run.inputs), ordered=False)


class AsFuture:
    """What apply_async gives, with the names of a future."""

    def __init__(self, result: Any) -> None:
        self.done = result.ready
        self._result = result

    def result(self, timeout: float) -> Any:
        try:
            return self._result.get(timeout)
        except multiprocessing.TimeoutError as error:
            raise TimeoutError from error


class Multiprocessing(Elsewhere):
    name = "multiprocessing.Pool"
    timeouts = False
    lacks = ("await",)

    def open(self, initializer: Any, initargs: Any) -> None:
        self.pool = multiprocessing.get_context("forkserver").Pool(WORKERS, initializer, initargs)

    def _view(self, run: Run) -> Any:
        return self.pool

    def by_submit(self, run: Run) -> None:
        run.futures(lambda value: AsFuture(self.pool.apply_async(run.fn, (value,))))


class Executor(Library):
    name = "ProcessPoolExecutor"

    def open(self, initializer: Any, initargs: Any) -> None:
        from concurrent.futures import ProcessPoolExecutor

        context = multiprocessing.get_context("forkserver")
        self.pool: Any = ProcessPoolExecutor(WORKERS, mp_context=context, initializer=initializer, initargs=initargs)

    def warm(self, fn: Any) -> None:
        list(self.pool.map(fn, range(WORKERS)))

    def by_submit(self, run: Run) -> None:
        run.futures(lambda value: self.pool.submit(run.fn, value))

    def by_await(self, run: Run) -> None:
        run.awaited(lambda value: asyncio.get_running_loop().run_in_executor(self.pool, run.fn, value))

    def by_map(self, run: Run) -> None:
        run.all_at_once(lambda: list(self.pool.map(run.fn, run.inputs)))

    def by_imap(self, run: Run) -> None:
        run.one_by_one(lambda: self.pool.map(run.fn, run.inputs))

    def by_imap_unordered(self, run: Run) -> None:
        run.completed(lambda value: self.pool.submit(run.fn, value))


class Loky(Executor):
    name = "loky"
    server = False

    def open(self, initializer: Any, initargs: Any) -> None:
        from loky import ProcessPoolExecutor

        self.pool = ProcessPoolExecutor(WORKERS, initializer=initializer, initargs=initargs)


class Pebble(Library):
    name = "pebble"
    timeouts = True

    def open(self, initializer: Any, initargs: Any) -> None:
        from pebble import ProcessPool

        context = multiprocessing.get_context("forkserver")
        self.pool: Any = ProcessPool(WORKERS, initializer=initializer, initargs=initargs, context=context)

    def warm(self, fn: Any) -> None:
        list(self.pool.map(fn, range(WORKERS)).result())

    def _schedule(self, run: Run, value: int) -> Any:
        return self.pool.schedule(run.fn, args=[value], timeout=run.timeout)

    def _map(self, run: Run) -> Iterator[Any]:
        values: Iterator[Any] = self.pool.map(run.fn, run.inputs, timeout=run.timeout).result()
        return values

    def by_submit(self, run: Run) -> None:
        run.futures(lambda value: self._schedule(run, value))

    def by_await(self, run: Run) -> None:
        run.awaited(lambda value: asyncio.wrap_future(self._schedule(run, value)))

    def by_map(self, run: Run) -> None:
        run.all_at_once(lambda: list(self._map(run)))

    def by_imap(self, run: Run) -> None:
        run.one_by_one(lambda: self._map(run))

    def by_imap_unordered(self, run: Run) -> None:
        run.completed(lambda value: self._schedule(run, value))


LIBRARIES: dict[str, type[Library]] = {kind.name: kind for kind in (Elsewhere, Multiprocessing, Executor, Loky, Pebble)}
