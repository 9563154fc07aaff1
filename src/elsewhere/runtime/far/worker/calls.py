"""The worker: calls one after the other, each answered before the next begins, and interrupts that may hit one.

Rule: the only place that runs the caller's code after the initializer; whatever that raises is caught and sent back.
"""

from __future__ import annotations

import _thread
import os
import pickle
import signal
import sys
import time
from types import CoroutineType
from typing import Any, Iterator, NoReturn

from . import answers
from .answers import (
    PLAIN,
    describe_call,
    dumps,
    envelope,
    function_name,
    in_pieces,
    is_large,
    unsendable,
)
from .finder import Modules
from .ledger import Run
from .line import Line
from .names import MISSING, Bound, lent, main, objects
from .output import Output
from .wire import (
    BATCHED,
    COUNT,
    ERROR,
    EXIT,
    FORGET,
    FUNCTION,
    LOG,
    ONE,
    ORDINAL,
    OUTPUT,
    SHAPE,
    SHARE,
    SKIPPED,
    STAR,
    UNSHARE,
    VALUE,
)

MOST = 0xFFFF_FFFF  # microseconds that a frame can tell


class Worker(Line):
    """Serves one caller."""

    def __init__(self, reader: int, writer: int, modules: Modules) -> None:
        super().__init__(reader, writer)
        self.modules = modules
        self.outputs: list[Output] = []
        self.loop: Any = None
        self._task: Any = None  # of the coroutine that is awaited
        self._stopping: BaseException | None = None  # why it is cancelled
        self._bodies: dict[int, bytes] = {}
        self._functions: dict[int, Any] = {}

    def serve(self) -> None:
        """Do what comes, until the caller says EXIT or has gone."""
        while not self.leaving:
            work = self.next()
            if work is None:
                return
            if isinstance(work, Run):
                self._run(work)
            else:
                self.obey(*work)

    def obey(self, kind: int, number: int, payload: bytes) -> None:
        """What the caller says in its turn, other than calls."""
        if kind == FUNCTION:
            self._bodies[number] = payload
            self._functions.pop(number, None)
        elif kind == FORGET:
            self._bodies.pop(number, None)
            self._functions.pop(number, None)
        elif kind == SHARE:
            objects[number] = [lent(payload), None]
        elif kind == UNSHARE:
            objects.pop(number, None)
        elif kind == EXIT:
            self.leaving = True

    # ---- calls -----------------------------------------------------------------------------------------------------

    def _run(self, run: Run) -> None:
        """The calls of one run, as far as they are not taken back."""
        items = self._items(run)
        while True:
            wanted = self.begin(run)
            if wanted is None:
                return
            item = next(items)
            if wanted:
                self._one(run, item)
            else:
                self.send(SKIPPED)
            del item

    @staticmethod
    def _items(run: Run) -> Iterator[Any]:
        """Its calls' items: [pickle, None], or [b"", value] where all are one pickle of plain values."""
        payload, at = memoryview(run.payload), COUNT.size
        run.payload = b""
        if run.flags & BATCHED:
            for value in pickle.loads(payload[at:]):
                yield [b"", value]
            return
        items = []
        while at < len(payload):
            begin = at + ORDINAL.size
            at = begin + ORDINAL.unpack_from(payload, at)[0]
            items.append([payload[begin:at], None])
        del payload  # so that it goes with the last call's
        items.reverse()
        while items:
            yield items.pop()

    def _one(self, run: Run, item: Any) -> None:
        """One call, with everything that may happen to it."""
        shape, begin = run.flags & SHAPE, time.perf_counter()
        fn: Any = None
        args: tuple[Any, ...] = ()
        kwargs: dict[str, Any] = {}
        value: Any = None
        failure: BaseException | None = None
        try:
            try:
                self.inside = True
                if self.ledger.wanted[0] == self.ledger.begun:  # it came before it could be raised
                    self.on_urgent(signal.SIGURG, None)
                fn = self._function(run.number)
                body, given = item
                item.clear()
                if body:
                    given = self.load(body)
                    body = None  # it may be large
                if shape == ONE:
                    args = (given,)
                elif shape == STAR:
                    args = tuple(given)
                else:
                    args, kwargs = given
                value = fn(*args, **kwargs)
                if type(value) is CoroutineType:
                    value = self._await(value)
                self.inside = False
            except BaseException as error:  # an interrupt may come right here: it goes to the outer clause
                self.inside = False
                failure = error
        except BaseException as error:
            self.inside = False
            failure = error
        self.ledger.over = self.ledger.begun
        if self.forked:
            self._end_fork(failure)
        self.finish_output()
        if failure is None:
            failure = self._answer(value, fn, args, kwargs, begin)
        if failure is not None:
            name = "the function" if fn is None else function_name(fn)
            self.send(ERROR, envelope(failure, name, args, kwargs, time.perf_counter() - begin))

    def _answer(self, value: Any, fn: Any, args: Any, kwargs: Any, begin: float) -> BaseException | None:
        """Answer with a value. Returns an error to be answered instead."""
        seconds = time.perf_counter() - begin
        took = min(int(seconds * 1e6), MOST)
        try:
            if is_large(value):
                self.send_pieces(VALUE, in_pieces(value), took)
                return None
            body = pickle.dumps(value, 5) if type(value) in PLAIN else dumps(value)
        except MemoryError as error:
            return error
        except Exception as error:
            self.send(ERROR, unsendable(error, value, describe_call(function_name(fn), args, kwargs), seconds))
        else:
            self.send(VALUE, body, 0, took)
        return None

    def _function(self, number: int) -> Any:
        """The function with this number, loaded when it is first called, with what it needs in force."""
        found = self._functions.get(number, MISSING)
        if found is MISSING:
            found = self._functions[number] = self.load(self._bodies[number])
            self._bodies[number] = b""
        if type(found) is Bound:
            main.apply(found.needs)
            return found.function
        return found

    def load(self, body: Any) -> Any:
        """What the caller has pickled."""
        try:
            return pickle.loads(body)
        except ImportError:
            if not self.modules.forget():
                raise
            return pickle.loads(body)

    def _await(self, coroutine: Any) -> Any:
        """Run a coroutine on the worker's own loop; stopped, it is cancelled so that it can clean up."""
        import asyncio

        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        self._stopping, self._task = None, self.loop.create_task(coroutine)
        task = self._task
        try:
            value = self.loop.run_until_complete(task)
        except BaseException:
            if not task.done():  # a signal handler of the user's has raised in the loop itself
                task.cancel()
                self.loop.run_until_complete(asyncio.wait([task]))
            if self._stopping is None:
                raise
        finally:
            self._task = None
        if self._stopping is not None:
            raise self._stopping
        return value

    # ---- interrupts ------------------------------------------------------------------------------------------------

    def on_urgent(self, signum: int, frame: Any) -> None:
        """SIGURG: the caller wants the call that it has named to stop."""
        ordinal, cancelled = self.ledger.wanted
        if not self.inside or not self.ledger.to_be_stopped(ordinal):
            return
        while frame is not None and frame.f_code is not Worker._one.__code__:
            if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
                return  # a package whose import was broken off cannot be imported again: the signal comes again
            frame = frame.f_back
        self.ledger.over = ordinal
        # Where the host has elsewhere, and the call has imported it, it is that which the call may catch.
        errors = sys.modules.get("elsewhere.errors", answers)
        if cancelled:
            error: BaseException = errors.CallCancelled("this call was cancelled")
        else:
            error = errors.CallTimeout("this call ran longer than its timeout")
        if self._task is None or sys.modules["asyncio"].current_task(self.loop) is self._task:
            raise error
        self._stopping = error  # what is raised in asyncio's own code might be logged there and forgotten
        self.loop.call_soon_threadsafe(self._task.cancel)

    # ---- beside answers --------------------------------------------------------------------------------------------

    def _aside(self, kind: int, flags: int, data: bytes) -> None:
        """An interrupt that comes meanwhile is raised afterwards, never between two halves of a frame."""
        if _thread.get_ident() != self._main:  # which no signal handler interrupts
            self.send(kind, data, flags)
            return
        inside, self.inside = self.inside, False
        try:
            self.send(kind, data, flags)
        finally:
            self.inside = inside
        if inside:
            self.on_urgent(signal.SIGURG, sys._getframe(1))

    def print(self, stream: int, text: str) -> None:
        """Send what was printed."""
        if self.forked:
            os.write(stream, text.encode(errors="backslashreplace"))
        else:
            self._aside(OUTPUT, stream, text.encode("utf-8", "surrogatepass"))

    def log(self, kind: int, data: bytes) -> None:
        """Send a log record or a warning."""
        self._aside(LOG, kind, data)

    def finish_output(self) -> None:
        """Send lines that have no end yet."""
        for output in self.outputs:
            if output.parts or output.buffer.torn:
                output.finish()

    # ---- forks -----------------------------------------------------------------------------------------------------

    def in_fork(self) -> None:
        """In a child that a call has made by fork."""
        self.cut_off()
        for output in self.outputs:
            output.parts.clear()

    def _end_fork(self, failure: BaseException | None) -> NoReturn:
        """The forked child has come back from the call: it ends here, as a program that falls off its end."""
        if failure is not None and not isinstance(failure, SystemExit):
            sys.excepthook(type(failure), failure, failure.__traceback__)
        self.finish_output()
        code = failure.code if isinstance(failure, SystemExit) else int(failure is not None)
        os._exit(code if isinstance(code, int) else int(code is not None))
