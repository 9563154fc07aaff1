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
from collections.abc import Callable
from types import CoroutineType
from typing import Any

from elsewhere.call import describe_call, function_name
from elsewhere.errors import CallCancelled, CallTimeout
from elsewhere.runtime.memory.buffers import LARGE, MARKER, Collector
from elsewhere.runtime.packing import Namespace, dumps_result
from elsewhere.runtime.page import INTERRUPT, SINCE, STARTED
from elsewhere.runtime.worker.channel import ATOMS, LARGEST_ATOM, Channel
from elsewhere.runtime.worker.output import Output
from elsewhere.sansio.frames import BATCHED, LARGEST, SKIP_RANGE, Command, Reply, Shape, ToWorker, split_run

__all__ = ["Loop"]

MAYBE_ENCODING = "MaybeEncodingError"  # the envelope's type name for a result that nothing can pickle


class Loop:
    """Serves one pool."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.namespace = Namespace()
        self.inside = False
        self._commands: deque[Command] = deque()
        self._functions: dict[int, Any] = {}  # number -> the function
        self._shipped: dict[int, tuple[bytes, tuple[bytes, ...]]] = {}  # number -> its pickle, if it goes by value
        self._learned: set[bytes] = set()
        self._skips: list[tuple[int, int]] = []
        self._raised = 0
        self._outputs: list[Output] = []
        self._runner: Any = None
        self._ended = False
        self._closed = False
        self._buffers = Collector()
        channel.look = lambda: self._fetch(wait=False)

    # ---- start and end -------------------------------------------------------------------------------------------

    def first_frame(self) -> memoryview | None:
        """The pool's SETUP; None if it has gone."""
        while not self._commands:
            if not self._fetch(wait=True):
                return None
        return self._commands.popleft().payload

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
        send = self._send_output
        self._outputs = [Output(1, "<stdout>", lambda text: send(1, text)), Output(2, "<stderr>", lambda t: send(2, t))]
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
        """Queue the commands that are here; False at end-of-file. Skips are noted at once."""
        commands = self.channel.receive(wait=wait)
        if commands is None:
            return False
        for command in commands:
            if command.kind == ToWorker.SKIP:
                self._skips.append(SKIP_RANGE.unpack(command.payload))
            elif command.kind == ToWorker.BLOCKS:
                self.channel.memory.hear(command.payload)
            else:
                self._commands.append(command)
        return True

    def _obey(self, command: Command) -> None:
        if command.kind == ToWorker.RUN:
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

    def _run(self, command: Command) -> None:
        """The calls of one run. Whatever fails before a call begins fails in the call, where its future sees it."""
        shape = Shape(command.shape & ~BATCHED)
        items: Any
        if command.shape & BATCHED:
            items, load = pickle.loads(command.payload), None
        else:
            needs, bodies = split_run(command.payload, command.calls)
            items, load = deque(map(self._arrive, bodies)), self._loader(needs)
        try:
            function = self._function(command.function)
        except BaseException as error:
            function = _Unloadable(error)
        if load is None and shape is Shape.ONE:
            self._run_batch(function, items)
        elif load is None:
            for item in items:
                self._one(function, item, shape, load)
        else:
            while items:  # each is let go of with its call, and so are its blocks
                self._one(function, items.popleft(), shape, load)

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

    def _run_batch(self, function: Any, items: list[Any]) -> None:
        """The hot path: one plain argument each. Leaves it for `_one` wherever anything is out of the ordinary."""
        channel, words, clock = self.channel, self.channel.words, time.monotonic_ns
        append, dumps, has_mail = channel.writer.append, pickle.dumps, channel.has_mail
        due = channel.due
        printed, complained = (output.parts for output in self._outputs)
        for index, item in enumerate(items):
            if has_mail():
                self._fetch(wait=False)
            if self._skips:
                for rest in items[index:]:
                    self._one(function, rest, Shape.ONE, None)
                return
            words[SINCE] = now = clock()
            if now > due and words[STARTED] != channel.rung:
                channel.bell(now)
                due = channel.due
            words[STARTED] += 1
            try:
                self.inside = True
                value = function(item)
                self.inside = False
            except BaseException as error:
                self.inside = False
                self._fail(error, function, (item,), {}, now)
                continue
            if type(value) in ATOMS and not printed and not complained:
                body = dumps(value, 5)
                if len(body) >= LARGEST_ATOM or not append(body[2:-1]):
                    channel.value(value, None)
            else:
                self._answer(value, function, (item,), {}, now)

    def _one(self, function: Any, item: Any, shape: Shape, load: Callable[[Any], Any] | None) -> None:
        """One call, with everything that may happen to it."""
        channel = self.channel
        if channel.has_mail():
            self._fetch(wait=False)
        channel.words[SINCE] = now = time.monotonic_ns()
        if now > channel.due and channel.words[STARTED] != channel.rung:
            channel.bell(now)
        channel.words[STARTED] += 1
        if self._skips and self._is_skipped(channel.words[STARTED]):
            channel.skipped()
            return
        args: tuple[Any, ...] = ()
        kwargs: dict[str, Any] = {}
        value: Any = None
        try:
            try:
                self.inside = True
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

    def on_urgent(self, signum: int, frame: object) -> None:
        """SIGURG: the pool wants the call named by INTERRUPT to stop."""
        wanted = self.channel.words[INTERRUPT]
        ordinal = wanted >> 1
        if self.inside and ordinal == self.channel.words[STARTED] and ordinal != self._raised:
            self._raised = ordinal
            if wanted & 1:
                raise CallCancelled("this call was cancelled")
            raise CallTimeout("this call ran longer than its timeout")

    def _is_skipped(self, ordinal: int) -> bool:
        self._skips = [skip for skip in self._skips if skip[1] >= ordinal]
        return any(first <= ordinal <= last for first, last in self._skips)

    def _send_output(self, stream: int, text: str) -> None:
        """Send text; an interrupt that comes meanwhile is raised afterwards, never between two halves of a frame."""
        inside, self.inside = self.inside, False
        try:
            if self._closed:
                os.write(stream, text.encode(errors="backslashreplace"))
            else:
                self.channel.send(Reply.OUTPUT, stream, text.encode(errors="surrogatepass"))
        finally:
            self.inside = inside
        if inside:
            self.on_urgent(signal.SIGURG, None)


class _Unloadable:
    """Stands for a function that could not be loaded: every call of it raises why."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise self._error


def _arguments(item: Any, shape: Shape) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if shape is Shape.ONE:
        return (item,), {}
    if shape is Shape.STAR:
        return tuple(item), {}
    args, kwargs = item
    return args, kwargs


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
