"""The worker's loop: commands in order, calls one after the other, each answered before the next begins.

Rule: the only place that runs user code after the initializer. `inside` is true exactly while it does; an interrupt
(SIGURG from the pool) raises only then, and at most once for a call.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import get_ident
from types import CoroutineType, FrameType
from typing import Any

from elsewhere.call import describe_call, function_name
from elsewhere.errors import CallCancelled, CallTimeout
from elsewhere.runtime.memory.buffers import LARGE, MARKER, Collector
from elsewhere.runtime.packing import Namespace, dumps_result
from elsewhere.runtime.page import INTERRUPT, MAIL, SINCE, STARTED
from elsewhere.runtime.worker.channel import ATOMS, LARGEST_ATOM, Channel
from elsewhere.runtime.worker.lanes import LANES, Ended, Pace, call_each
from elsewhere.runtime.worker.output import Output
from elsewhere.sansio.frames import (
    BATCHED,
    LARGEST,
    ORDINAL,
    SKIP_RANGE,
    TIMED,
    Command,
    Reply,
    Shape,
    ToWorker,
    split_run,
)  # fmt: skip

__all__ = ["Loop"]

MAYBE_ENCODING = "MaybeEncodingError"  # the envelope's type name for a result that nothing can pickle


class _Run:
    """A run of calls, and which of them are still the worker's."""

    __slots__ = ("command", "first", "last")

    def __init__(self, command: Command, first: int) -> None:
        self.command = command
        self.first = first  # ordinals
        self.last = first + command.calls - 1

    def left(self) -> int:
        """How many of its calls are the worker's."""
        return self.last - self.first + 1

    def cut(self, first: int) -> bool:
        """Give up the calls from this ordinal on; True if none is left."""
        self.last = min(self.last, first - 1)
        return self.last < self.first


class Loop:
    """Serves one pool."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.namespace = Namespace()
        self.inside = False
        self.unfinished: dict[tuple[int, int], list[str]] = {}  # lines of output without their ends
        self._commands: deque[Command | _Run] = deque()
        self._current: _Run | None = None
        self._received = 0  # calls handed over so far: the ordinal of the last
        self._withdrawals = 0
        self._paces: dict[int, Pace] = {}
        self._functions: dict[int, Any] = {}  # number -> the function
        self._shipped: dict[int, tuple[bytes, tuple[bytes, ...]]] = {}  # number -> its pickle, if it goes by value
        self._learned: set[bytes] = set()
        self._skips: list[tuple[int, int]] = []
        self._raised = 0
        self._outputs: list[Output] = []
        self._runner: Any = None
        self._ended = False
        self._closed = False
        self._thread = get_ident()
        self._buffers = Collector()
        channel.look = lambda: self._fetch(wait=False)

    # ---- start and end -------------------------------------------------------------------------------------------

    def first_frame(self) -> memoryview | None:
        """The pool's SETUP; None if it has gone."""
        while not self._commands:
            if not self._fetch(wait=True):
                return None
        setup = self._commands.popleft()
        assert isinstance(setup, Command)
        return setup.payload

    def initializer(self, given: dict[str, Any], fds: list[int], inherited: Any) -> tuple[Any, tuple[Any, ...]]:
        """The initializer and its arguments: inherited through a fork, or from the setup."""
        if inherited is not None:
            initializer, initargs = inherited
            return initializer, tuple(initargs)
        for definition in given["definitions"]:
            self.namespace.learn(*definition)
        if given["initializer"] is None:
            return None, ()
        from elsewhere.runtime.worker.handles import receiving

        body, needs = given["initializer"]
        with receiving(fds):
            self.namespace.apply(needs)
            initializer, initargs = self.namespace.loads(body)
        return initializer, tuple(initargs)

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

    def close(self) -> None:
        """Nothing more will be sent."""
        if not self._closed:
            self._closed = True
            if self._runner is not None:
                self._runner.close()
            self.channel.sock.close()

    # ---- commands ------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Carry out commands until the pool says EXIT or hangs up."""
        while not self._ended:
            if self._commands:
                self._obey(self._commands.popleft())
            elif not self._fetch(wait=False):
                return
            elif not self._commands:
                self.channel.bell(time.monotonic_ns())
                if not self._fetch(wait=True):
                    return
                self.channel.awake(time.monotonic_ns())

    def _fetch(self, *, wait: bool) -> bool:
        """Queue the commands that are here; False at end-of-file. Skips and withdrawals are noted at once."""
        commands = self.channel.receive(wait=wait)
        if commands is None:
            return False
        for command in commands:
            if command.kind == ToWorker.SKIP:
                self._skips.append(SKIP_RANGE.unpack(command.payload))
            elif command.kind == ToWorker.RUN:
                self._commands.append(_Run(command, self._received + 1))
                self._received += command.calls
            elif command.kind == ToWorker.WITHDRAW:
                self._withdraw(*ORDINAL.unpack(command.payload))
            elif command.kind == ToWorker.BLOCKS:
                self.channel.memory.hear(command.payload)
            else:
                self._commands.append(command)
        return True

    def _obey(self, command: Command | _Run) -> None:
        if isinstance(command, _Run):
            self._run(command)
        elif command.kind == ToWorker.FUNCTION:
            self._shipped[command.function] = pickle.loads(command.payload)
            self._functions.pop(command.function, None)
        elif command.kind == ToWorker.LEARN:
            digest, name, body = pickle.loads(command.payload)
            self._learned.add(digest)
            self.namespace.learn(digest, name, body)
        elif command.kind == ToWorker.FORGET:
            self._shipped.clear()
            self._functions.clear()
            self._paces.clear()
            self.namespace.forget(self._learned)
            self._learned.clear()
        elif command.kind == ToWorker.EXIT:
            self._ended = True
        else:
            self._share(command)

    def _share(self, command: Command) -> None:
        """An object that calls will refer to, or one to which none will any more."""
        from elsewhere.runtime.memory import sharing

        if command.kind == ToWorker.UNSHARE:
            sharing.forget(str(command.payload, "ascii"))
            return
        token, body, needs, definitions = pickle.loads(command.payload)
        sharing.keep(token, self.channel.memory.open(body) if body[0] == MARKER else body, needs, definitions)

    def _function(self, number: int) -> Any:
        """The function with this number, with the globals that were shipped with it in force."""
        body, needs = self._shipped[number]
        if needs:
            self.namespace.apply(needs)
        if number not in self._functions:
            self._functions[number] = self.namespace.loads(body)
        return self._functions[number]

    # ---- calls ---------------------------------------------------------------------------------------------------

    def _run(self, run: _Run) -> None:
        """The calls of one run. Whatever fails before a call begins fails in the call, where its future sees it."""
        command = run.command
        shape = Shape(command.shape & ~(BATCHED | TIMED))
        items: Any
        if command.shape & BATCHED:
            items, load = pickle.loads(command.payload), None
        else:
            needs, bodies = split_run(command.payload, command.calls)
            items, load = list(map(self._arrive, bodies)), self._loader(needs)
        try:
            function = self._function(command.function)
        except BaseException as error:
            function = _Unloadable(error)
        self._current = run
        at = 0
        if load is None and shape is not Shape.BOTH:
            if not command.shape & TIMED:
                at = self._run_lanes(function, items, run, shape is Shape.STAR)
            at = self._run_batch(function, items, run, at, shape is Shape.STAR)
        while at < run.left():
            if self._one(function, items[at], shape, load, run.first + at):
                if load is not None:
                    items[at] = None  # it is let go of with its call, and so are its blocks
                at += 1
        self._current = None

    def _arrive(self, body: memoryview) -> Any:
        """A call's arguments as they have come: a pickle, or one whose blocks are leased from now on."""
        return self.channel.memory.open(body, copies=True) if body[0] == MARKER else body

    def _loader(self, needs: tuple[bytes, ...]) -> Callable[[Any], Any]:
        namespace = self.namespace

        def load(body: Any) -> Any:
            if needs:
                namespace.apply(needs)
            return namespace.loads(bytes(body)) if type(body) is memoryview else body.load()

        return load

    def _run_lanes(self, function: Any, items: Sequence[Any], run: _Run, star: bool) -> int:
        """Calls that answer with numbers; returns how many were answered, the rest is for slower ways."""
        channel, clock = self.channel, time.monotonic_ns
        pace = self._paces.setdefault(run.command.function, Pace())
        at = 0
        while at < run.left() and pace.kind in LANES and not self._skips:
            channel.words[SINCE] = begin = clock()
            if begin > channel.due and channel.words[STARTED] != channel.rung:
                channel.bell(begin)
            some = items[at : min(at + pace.calls, run.left())]
            answered, ended, outcome = call_each(self, function, some, run.first + at, pace.kind, star)
            at += answered
            if ended is Ended.ALL:
                pace.learn(answered, clock() - begin)
            elif ended is Ended.MAIL:
                self._read_mail()
                if channel.words[INTERRUPT] >> 1 == run.first + at:  # meant for the call that has not begun yet
                    return at
            elif ended is Ended.FULL:
                return at
            else:
                args = _positional(items[at], star)
                at += 1
                if ended is Ended.ERROR:
                    self._fail(outcome, function, args, {}, begin)
                else:
                    pace.kind = type(outcome)
                    self._answer(outcome, function, args, {}, begin)
        return at

    def _run_batch(self, function: Any, items: Sequence[Any], run: _Run, at: int, star: bool) -> int:
        """Calls that answer with texts or bytes, or that are timed; like `_run_lanes`, but pickled one by one."""
        channel, words, clock = self.channel, self.channel.words, time.monotonic_ns
        append, dumps, unfinished = channel.writer.append, pickle.dumps, self.unfinished
        due, value, first = channel.due, None, at
        while at < run.left() and not self._skips:
            item = items[at]
            words[SINCE] = now = clock()
            if now > due and words[STARTED] != channel.rung:
                channel.bell(now)
                due = channel.due
            words[STARTED] = run.first + at
            if words[MAIL] != channel.mail:
                self._read_mail()
                continue
            at += 1
            try:
                self.inside = True
                if words[INTERRUPT] >> 1 == words[STARTED]:  # the signal came a moment too early
                    self.on_urgent(signal.SIGURG, None)
                value = function(*item) if star else function(item)
                self.inside = False
            except BaseException as error:
                self.inside = False
                self._fail(error, function, _positional(item, star), {}, now)
                continue
            if type(value) in ATOMS and not unfinished:
                body = dumps(value, 5)
                if len(body) >= LARGEST_ATOM or not append(body[2:-1]):
                    channel.value(value, None)
            else:
                self._answer(value, function, _positional(item, star), {}, now)
        if at > first and not run.command.shape & TIMED:
            self._paces[run.command.function].kind = type(value)
        return at

    def _read_mail(self) -> None:
        """The pool wants its frames read before the next call, which is claimed already, begins.

        After a recall it also wants to be waited for: what it withdraws must not be begun.
        """
        recalls = self.channel.recalls()
        if not self._fetch(wait=False):
            return
        while self._withdrawals < recalls:
            if not self._fetch(wait=True):
                self._withdraw(self.channel.words[STARTED])  # nobody is left to answer to
                return

    def _withdraw(self, first: int) -> None:
        """The calls from this ordinal on are others' now. One that was claimed has not begun: see `_read_mail`."""
        self._withdrawals += 1
        self._received = first - 1
        kept = [command for command in self._commands if not (type(command) is _Run and command.cut(first))]
        self._commands = deque(kept)
        if self._current is not None:
            self._current.cut(first)
        self._skips = [(low, min(high, first - 1)) for low, high in self._skips if low < first]
        if self.channel.words[STARTED] >= first:
            self.channel.words[STARTED] = first - 1
        self.channel.send(Reply.RELEASED)

    def _one(self, function: Any, item: Any, shape: Shape, load: Callable[[Any], Any] | None, ordinal: int) -> bool:
        """One call, with everything that may happen to it; False if mail came first."""
        channel = self.channel
        channel.words[SINCE] = now = time.monotonic_ns()
        if now > channel.due and channel.words[STARTED] != channel.rung:
            channel.bell(now)
        channel.words[STARTED] = ordinal
        if channel.words[MAIL] != channel.mail:
            self._read_mail()
            return False
        if self._skips and self._is_skipped(ordinal):
            channel.skipped()
            return True
        args: tuple[Any, ...] = ()
        kwargs: dict[str, Any] = {}
        value: Any = None
        try:
            try:
                self.inside = True
                if channel.words[INTERRUPT] >> 1 == ordinal:  # the signal came a moment too early
                    self.on_urgent(signal.SIGURG, None)
                if load is not None:
                    item = load(item)
                args, kwargs = _arguments(item, shape)
                value = function(*args, **kwargs)
                self.inside = False
            except BaseException as error:  # an interrupt may come right here: it goes to the outer clause
                self.inside = False
                failure: BaseException | None = error
            else:
                failure = None
        except BaseException as error:
            self.inside = False
            failure = error
        if failure is None:
            self._answer(value, function, args, kwargs, now)
        else:
            self._fail(failure, function, args, kwargs, now)
        return True

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
        if isinstance(function, _Unloadable):
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
                return
            self._raised = ordinal
            if wanted & 1:
                raise CallCancelled("this call was cancelled")
            raise CallTimeout("this call ran longer than its timeout")

    def _is_skipped(self, ordinal: int) -> bool:
        self._skips = [skip for skip in self._skips if skip[1] >= ordinal]
        return any(first <= ordinal <= last for first, last in self._skips)

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


class _Unloadable:
    """Stands for a function that could not be loaded: every call of it raises why."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise self._error


def _importing(frame: FrameType | None) -> bool:
    """Is a module being imported right now, by the call or by what unpickles its arguments?

    A package whose import was broken off cannot be imported again in that process: later calls would fail. So it is
    not interrupted; the call goes on, and the pool kills the worker after its grace.
    """
    while frame is not None and frame.f_globals.get("__name__") != __name__:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _arguments(item: Any, shape: Shape) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if shape is Shape.ONE:
        return (item,), {}
    if shape is Shape.STAR:
        return tuple(item), {}
    args, kwargs = item
    return args, kwargs


def _positional(item: Any, star: bool) -> tuple[Any, ...]:
    """For an error's text."""
    return tuple(item) if star and isinstance(item, tuple | list) else (item,)


def _text(value: Any, form: Callable[[Any], str] = str) -> str:
    try:
        return form(value)
    except Exception as error:
        return f"<{type(value).__qualname__} whose {form.__name__}() raises {type(error).__name__}>"


def _own_frames_off(error: BaseException) -> Any:
    """The traceback from the user's code on, without the worker's own frames above it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") == __name__:
        trace = trace.tb_next
    return trace or error.__traceback__
