"""What leaves a worker: answers, errors, and what calls print and log; and the interrupts that may hit a call.

Rule: nothing here takes calls or begins them. `inside` is true exactly while user code runs; an interrupt (SIGURG from
the pool) raises only then, and at most once for a call.
"""

from __future__ import annotations

import _thread
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable
from threading import get_ident
from types import CoroutineType, FrameType
from typing import Any

from elsewhere.call import describe_call, function_name
from elsewhere.errors import CallCancelled, CallTimeout
from elsewhere.runtime.memory.buffers import LARGE, Collector
from elsewhere.runtime.packing import dumps_result
from elsewhere.runtime.page import INTERRUPT, STARTED
from elsewhere.runtime.worker.channel import ATOMS, LARGEST_ATOM, Channel
from elsewhere.runtime.worker.streams.output import Output
from elsewhere.sansio.frames import LARGEST, Reply

__all__ = ["Answers", "Unloadable"]

MAYBE_ENCODING = "MaybeEncodingError"  # the envelope's type name for a result that nothing can pickle
AGAIN = 0.01  # seconds between an interrupt that comes during an import and the next
OURS = __name__.rpartition(".")[0]  # where the worker's own frames are


class Answers:
    """A worker's way out.

    Attributes:
        inside: does user code run?
        unfinished: lines of output without their ends.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.inside = False
        self.unfinished: dict[tuple[int, int], list[str]] = {}
        self._raised = 0
        self._outputs: list[Output] = []
        self._runner: Any = None
        self._closed = False
        self._thread = get_ident()
        self._buffers = Collector()

    def adopt_streams(self) -> None:
        """From now on what is printed goes to the caller."""
        send, parts = self._send_output, self.unfinished
        self._outputs = [
            Output(1, "<stdout>", lambda text: send(1, text), parts),
            Output(2, "<stderr>", lambda text: send(2, text), parts),
        ]
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = self._outputs  # type: ignore[assignment, misc]  # a TextIO in all that matters

    def finish_output(self) -> None:
        """Send lines that have no end yet."""
        for output in self._outputs:
            output.finish()

    def _answer(self, value: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], begin: int) -> None:
        """Answer with a value, after what the call printed."""
        if type(value) is CoroutineType:
            try:
                self.inside = True
                value = self._await(value)
                self.inside = False
            except BaseException as error:
                self.inside = False
                self._fail(error, function, args, kwargs, begin)
                return
        self.finish_output()
        if type(value) in ATOMS and not (isinstance(value, str | bytes) and len(value) > LARGEST_ATOM):
            self.channel.value(value, None)
            return
        try:
            body = dumps_result(value, self._buffers)
            if self._buffers or len(body) >= LARGE:
                body = self.channel.memory.pack(body, self._buffers.emptied())
            if len(body) > LARGEST:
                raise OverflowError(f"it takes {len(body):,} bytes; {LARGEST:,} can travel: write a file instead")
        except MemoryError as error:
            self._buffers.clear()
            self._fail(error, function, args, kwargs, begin)
        except Exception as error:
            self._buffers.clear()
            self.channel.error(self._unsendable(error, value, function, args, kwargs, begin))
        else:
            self.channel.value(value, body)

    def _await(self, coroutine: Any) -> Any:
        """Run a coroutine to its end on the worker's own loop; interrupted, it is cancelled so that it can clean up."""
        import asyncio

        if self._runner is None:
            self._runner = asyncio.Runner()
            self._runner.get_loop()
        loop = self._runner.get_loop()
        task = loop.create_task(coroutine)
        try:
            return loop.run_until_complete(task)
        except BaseException:
            if not task.done():
                task.cancel()
                loop.run_until_complete(asyncio.wait([task]))
                if not task.cancelled():
                    task.exception()
            raise

    def _fail(
        self, error: BaseException, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], begin: int
    ) -> None:
        self.finish_output()
        seconds = (time.monotonic_ns() - begin) / 1e9
        if isinstance(function, Unloadable):
            function = function.__call__
        self.channel.error(self.envelope(error, function_name(function), args, kwargs, seconds))

    # ---- answers that are not values -----------------------------------------------------------------------------

    def envelope(
        self,
        error: BaseException,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None = None,
        seconds: float = 0.0,
    ) -> bytes:
        """An error in a form that always arrives: in words, and pickled if it can be."""
        import traceback  # 5 ms that a worker without errors saves

        text, body = _text(error), None
        trace = "".join(traceback.format_exception(type(error), error, _own_frames_off(error)))
        try:
            body = dumps_result(error.with_traceback(None))
        except Exception:
            body = None  # the words go alone
        kind = type(error)
        return pickle.dumps(
            (body, f"{kind.__module__}.{kind.__qualname__}", text, trace, describe_call(name, args, kwargs), seconds), 5
        )

    def _unsendable(
        self, error: Exception, value: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], begin: int
    ) -> bytes:
        call = describe_call(function_name(function), args, kwargs)
        words = (_text(error), _text(value, repr))
        seconds = (time.monotonic_ns() - begin) / 1e9
        return pickle.dumps((None, MAYBE_ENCODING, words, "", call, seconds), 5)

    # ---- interruptions -------------------------------------------------------------------------------------------

    def on_urgent(self, signum: int, frame: FrameType | None) -> None:
        """SIGURG: the pool wants the call named by INTERRUPT to stop."""
        wanted = self.channel.words[INTERRUPT]
        ordinal = wanted >> 1
        if self.inside and ordinal == self.channel.words[STARTED] and ordinal != self._raised:
            if _importing(frame):
                # Without `threading`: its locks may be held by the code that is interrupted.
                _thread.start_new_thread(_signal_again, (os.getpid(),))
                return
            self._raised = ordinal
            if wanted & 1:
                raise CallCancelled("this call was cancelled")
            raise CallTimeout("this call ran longer than its timeout")

    def _send_output(self, stream: int, text: str) -> None:
        if self._closed:
            os.write(stream, text.encode(errors="backslashreplace"))
        else:
            self._send_aside(Reply.OUTPUT, stream, text.encode(errors="surrogatepass"))

    def send_log(self, kind: int, data: bytes) -> None:
        """Send a log record or a warning."""
        if not self._closed:
            self._send_aside(Reply.LOG, kind, data)

    def _send_aside(self, kind: Reply, record: int, data: bytes) -> None:
        """An interrupt that comes meanwhile is raised afterwards, never between two halves of a frame."""
        if get_ident() != self._thread:  # which no signal handler interrupts
            self.channel.send(kind, record, data)
            return
        inside, self.inside = self.inside, False
        try:
            self.channel.send(kind, record, data)
        finally:
            self.inside = inside
        if inside:
            self.on_urgent(signal.SIGURG, sys._getframe(1))

    def forked(self) -> None:
        """In a child that a call has made by fork: the channel is the worker's alone."""
        self._closed = True


class Unloadable:
    """Stands for a function that could not be loaded: every call of it raises why."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise self._error


def _signal_again(pid: int) -> None:
    """The same signal a little later, when the import may be over; until then it comes here again."""
    time.sleep(AGAIN)
    if os.getpid() == pid:
        os.kill(pid, signal.SIGURG)


def _importing(frame: FrameType | None) -> bool:
    """Is a module being imported right now, by the call or by what unpickles its arguments?

    A package whose import was broken off cannot be imported again in that process: later calls would fail. So it is
    not interrupted before that import is over; where it takes too long, the pool kills the worker after its grace.
    """
    while frame is not None and frame.f_globals.get("__name__") != __name__:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _text(value: Any, form: Callable[[Any], str] = str) -> str:
    try:
        return form(value)
    except Exception as error:
        return f"<{type(value).__qualname__} whose {form.__name__}() raises {type(error).__name__}>"


def _own_frames_off(error: BaseException) -> Any:
    """The traceback from the user's code on, without the worker's own frames above it."""
    trace = error.__traceback__
    while trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith(OURS):
        trace = trace.tb_next
    return trace or error.__traceback__
