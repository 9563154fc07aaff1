"""The worker's loop: commands in order, calls one after the other, each answered before the next begins.

Rule: the only place that runs user code after the initializer; what comes of it leaves by way of `answers`.
"""

from __future__ import annotations

import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from elsewhere.runtime.memory.buffers import MARKER
from elsewhere.runtime.packing import Namespace
from elsewhere.runtime.page import INTERRUPT, MAIL, SINCE, STARTED
from elsewhere.runtime.worker.answers import Answers, Unloadable
from elsewhere.runtime.worker.channel import ATOMS, BELL_NS, LARGEST_ATOM, Channel
from elsewhere.runtime.worker.lanes import LANES, Ended, Pace, call_each
from elsewhere.sansio.frames import (
    BATCHED,
    HEAP,
    HEAPS,
    ORDINAL,
    SHAPE,
    SKIP_RANGE,
    TIMED,
    Command,
    Reply,
    Shape,
    ToWorker,
    split_run,
)  # fmt: skip

__all__ = ["Loop"]


SHAPES = tuple(Shape)  # by value


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


class Loop(Answers):
    """Serves one pool."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self.namespace = Namespace()
        self._commands: deque[Command | _Run] = deque()
        self._current: _Run | None = None
        self._received = 0  # calls handed over so far: the ordinal of the last
        self._withdrawals = 0
        self._paces: dict[int, Pace] = {}
        self._functions: dict[int, Any] = {}  # number -> the function
        self._shipped: dict[int, tuple[bytes, tuple[bytes, ...]]] = {}  # number -> its pickle, if it goes by value
        self._learned: set[bytes] = set()
        self._skips: list[tuple[int, int]] = []
        self._ended = False
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
        commands, channel = self._commands, self.channel
        alone = False  # was it one call that the worker waited for? Then it is waited for, too, and nothing follows
        while not self._ended:
            if commands:
                self._obey(commands.popleft())
            elif not alone and not self._fetch(wait=False):
                return
            elif not commands:
                channel.bell(time.monotonic_ns())
                if not self._fetch(wait=True, soon=alone):
                    return
                alone = len(commands) == 1 and type(commands[0]) is _Run and commands[0].left() == 1
                channel.awake(time.monotonic_ns())

    def _fetch(self, *, wait: bool, soon: bool = False) -> bool:
        """Queue the commands that are here; False at end-of-file. Skips and withdrawals are noted at once."""
        commands = self.channel.receive_soon() if soon else self.channel.receive(wait=wait)
        if commands is None:
            return False
        for command in commands:
            if command.kind == ToWorker.SKIP:
                self._skips.append(SKIP_RANGE.unpack(command.payload))
            elif command.kind == ToWorker.RUN:
                self._commands.append(_Run(command, self._received + 1))
                self._received += command.calls
                self.channel.fed(self._received)
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
        shape = SHAPES[command.shape & SHAPE]
        self.channel.interval = BELL_NS << (command.shape & HEAPS) // HEAP
        items: Any
        if command.shape & BATCHED:
            items, load = pickle.loads(command.payload), None
        else:
            needs, bodies = split_run(command.payload, command.calls)
            items, load = list(map(self._arrive, bodies)), self._loader(needs)
        try:
            function = self._function(command.function)
        except BaseException as error:
            function = Unloadable(error)
        self._current = run
        at = 0
        if load is None and shape is not Shape.BOTH:
            if not command.shape & TIMED:
                at = self._run_lanes(function, items, run, shape is Shape.STAR)
            if at < run.left():
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
        pace = self._paces.get(run.command.function) or self._paces.setdefault(run.command.function, Pace())
        at = 0
        while at < run.left() and pace.kind in LANES and not self._skips:
            channel.words[SINCE] = begin = clock()
            if (begin > channel.due or run.first + at >= channel.low) and channel.words[STARTED] != channel.rung:
                channel.bell(begin)
            some = items[at : min(at + pace.calls, run.left())]
            answered, ended, outcome = call_each(self, function, some, run.first + at, pace.kind, star)
            at += answered
            if ended is Ended.ALL:
                pace.learn(answered, clock() - begin, channel.interval)
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
        due, low, value, first = channel.due, channel.low, None, at
        while at < run.left() and not self._skips:
            item = items[at]
            words[SINCE] = now = clock()
            if (now > due or run.first + at >= low) and words[STARTED] != channel.rung:
                channel.bell(now)
                due, low = channel.due, channel.low
            words[STARTED] = run.first + at
            if words[MAIL] != channel.mail:
                self._read_mail()
                low = channel.low
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
        self._commands.clear()
        self._commands.extend(kept)
        if self._current is not None:
            self._current.cut(first)
        self._skips = [(low, min(high, first - 1)) for low, high in self._skips if low < first]
        if self.channel.words[STARTED] >= first:
            self.channel.words[STARTED] = first - 1
        self.channel.send(Reply.RELEASED)

    def _is_skipped(self, ordinal: int) -> bool:
        self._skips = [skip for skip in self._skips if skip[1] >= ordinal]
        return any(first <= ordinal <= last for first, last in self._skips)

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
                    if channel.words[INTERRUPT] >> 1 == ordinal:  # it came while modules were imported for them
                        self.on_urgent(signal.SIGURG, None)
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
