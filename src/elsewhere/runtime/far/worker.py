"""The far worker: one file that is shipped to a plain Python on another machine, and runs calls there.

The law of the file: the standard library only, Python 3.8 to 3.14, and nothing is written on that machine. There it is
the module ``elsewhere_far``, which pickles name; the caller's side imports it for its frames, so that there is one
definition of the wire.

::

    stdin ─> Frames ─> queue ─> Worker._one: fn(...) ─> one frame for each answer, written before the next call begins

The main thread reads its input itself while it has nothing to do: a call that is waited for is handed to no other
thread. Once it has been busy for some milliseconds another one reads on, so that calls can be taken back and
interrupted, and the end of the input is seen whatever runs.
"""

from __future__ import annotations

import _thread
import codecs
import io
import os
import pickle
import signal
import struct
import sys
import threading
import time
from collections import deque
from types import CodeType, CoroutineType, FunctionType, ModuleType
from typing import Any, Callable, Iterator, NamedTuple, NoReturn, Sequence

# ---- the wire --------------------------------------------------------------------------------------------------------
#
# Both ways: a header (kind, flags, 0, number, size) and a payload of so many bytes.

HEADER = struct.Struct("<BBHIQ")
# To the worker:
SETUP, FUNCTION, RUN, SHARE, UNSHARE, SKIP, INTERRUPT, WITHDRAW, MODULE, EXIT, DUMP, FORGET = range(1, 13)
# From the worker:
HELLO, READY, VALUE, ERROR, SKIPPED, OUTPUT, LOG, RELEASED, ASK, FAILED, STACKS = range(1, 12)
# Flags of a RUN: how a call's item becomes arguments, and whether all items are one pickled list.
ONE, STAR, BOTH, SHAPE, BATCHED = 0, 1, 2, 3, 4
STDOUT, STDERR = 1, 2  # flags of OUTPUT
RECORD, WARNING = 0, 1  # flags of LOG
COUNT, SIZE, RANGE = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<QQ")
LARGEST = 1 << 40  # bytes of a payload: what claims more is no message
SMALL = 4096  # bytes; pieces of a payload that are smaller are put together as they come


def header(kind: int, size: int = 0, flags: int = 0, number: int = 0) -> bytes:
    """The bytes before a payload of `size` bytes."""
    return HEADER.pack(kind, flags, 0, number, size)


def frame(kind: int, payload: bytes = b"", flags: int = 0, number: int = 0) -> bytes:
    """A whole frame; a large payload is better sent after its `header`, without a copy."""
    return HEADER.pack(kind, flags, 0, number, len(payload)) + payload


class Frames:
    """Bytes in, frames out; they may be cut anywhere. What is kept is never more than what has come."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._rest = b""  # less than a header
        self._head = 0, 0, 0
        self._parts: list[Any] = []  # of the payload that has begun
        self._missing = 0

    def feed(self, data: bytes) -> list[tuple[int, int, int, bytes]]:
        """The frames that are complete now: (kind, flags, number, payload).

        Raises:
            ValueError: these bytes are no frames.
        """
        found: list[tuple[int, int, int, bytes]] = []
        at, end = 0, len(data)
        if self._missing:
            if end < self._missing:
                self._keep(data)
                return found
            at = self._missing
            self._parts.append(data if at == end else data[:at])
            found.append((*self._head, b"".join(self._parts)))
            self._parts, self._missing = [], 0
        elif self._rest:
            data = self._rest + data
            end = len(data)
        while end - at >= HEADER.size:
            kind, flags, zero, number, size = HEADER.unpack_from(data, at)
            if zero or not 1 <= kind <= FORGET or size > self._largest:
                raise ValueError(f"these bytes begin no frame: {data[at : at + HEADER.size]!r}")
            at += HEADER.size
            if end - at < size:
                self._head, self._missing = (kind, flags, number), size
                self._rest = b""
                self._keep(data[at:])
                return found
            found.append((kind, flags, number, data[at : at + size]))
            at += size
        self._rest = data[at:]
        return found

    def _keep(self, data: bytes) -> None:
        """A part of a payload. A peer that sends it byte by byte must not cost many times its size."""
        self._missing -= len(data)
        parts = self._parts
        if len(data) >= SMALL:
            parts.append(data)
        elif parts and type(parts[-1]) is bytearray and len(parts[-1]) < 16 * SMALL:
            parts[-1] += data
        else:
            parts.append(bytearray(data))


# ---- what pickles refer to -------------------------------------------------------------------------------------------

MISSING = object()


class Namespace:
    """What has been shipped of the caller's `__main__`, in this process's: one for all.

    A name is bound by a shipment only while it holds what the last shipment bound (or nothing): what the user's own
    code bound there stays. A definition whose bytes have not changed is not made again.
    """

    def __init__(self, names: dict[str, Any]) -> None:
        self.globals = names
        self.shipped = dict(names)  # what a fresh module holds is not the user's
        self._in_force: dict[str, bytes] = {}
        self._pending: dict[str, tuple[bytes, bytes]] = {}
        self._begun: dict[str, tuple[bytes, bytes]] = {}

    def apply(self, needs: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Bring these names to these definitions: (name, digest, pickle), those that others hold first."""
        stale = {name: (digest, body) for name, digest, body in needs if self._in_force.get(name) != digest}
        if not stale:
            return
        self._pending = stale
        try:
            for name in list(stale):
                if name in self._pending:  # otherwise an earlier one needed it and has loaded it
                    self._load(name)
        finally:
            self._pending, self._begun = {}, {}

    def find(self, name: str) -> Any:
        """What was shipped under `name`, loaded now if it is needed but not loaded yet."""
        if name in self._pending or name in self._begun:
            self._load(name)
        try:
            return self.shipped[name]
        except KeyError:
            raise pickle.UnpicklingError(f"{name!r} of the caller's __main__ was not sent to this worker") from None

    def register(self, name: str, value: Any) -> None:
        """An object that exists and will be filled: others that refer back to it find it already."""
        self.shipped[name] = value
        self._begun.pop(name, None)

    def _load(self, name: str) -> None:
        # A second time when something that its making needs refers back to it; its object is the one that counts.
        digest, body = self._pending.pop(name) if name in self._pending else self._begun.pop(name)
        self._begun[name] = digest, body
        before = self.shipped.get(name, MISSING)
        try:
            value = pickle.loads(body)
        except BaseException:
            self.shipped.pop(name, None)
            if before is not MISSING:
                self.shipped[name] = before
            raise
        self._begun.pop(name, None)
        if self._in_force.get(name) == digest:
            return  # the second attempt was first
        self._in_force[name], self.shipped[name] = digest, value
        if name.isidentifier() and self.globals.get(name, MISSING) is before:
            self.globals[name] = value


class Bound(NamedTuple):
    """A function and the definitions that are to be in force when it is called."""

    function: Any
    needs: tuple[tuple[str, bytes, bytes], ...]


_main = Namespace({})
_classes: dict[str, type] = {}
_tokens: dict[type, str] = {}
_shared: dict[int, list[Any]] = {}  # token -> [body, object]; the body goes when the object is made


def bound(needs: tuple[tuple[str, bytes, bytes], ...], body: bytes) -> Bound:
    """A function that needs definitions, for a FUNCTION frame."""
    _main.apply(needs)
    return Bound(pickle.loads(body), needs)


def opened(needs: tuple[tuple[str, bytes, bytes], ...], body: bytes) -> Any:
    """A value that needs definitions."""
    _main.apply(needs)
    return pickle.loads(body)


def lookup(name: str) -> Any:
    """An object that was shipped under `name`."""
    return _main.find(name)


def namespace() -> dict[str, Any]:
    """The globals of all that comes from the caller's `__main__`."""
    return _main.globals


def function(code: CodeType, name: str, cells: tuple[Any, ...] | None = None, key: str | None = None) -> Any:
    """A function of the caller's `__main__` without its state, which may refer to it."""
    made = FunctionType(code, _main.globals, name, None, cells)
    if key is not None:
        _main.register(key, made)
    return made


def register(key: str | None, value: Any) -> None:
    """An object of the caller's `__main__` that exists, before it is filled with what may refer to it."""
    if key is not None:
        _main.register(key, value)


def bind(values: dict[str, Any]) -> None:
    """Bind names of `__main__`, but for those that the user's own code has bound since."""
    for name, value in values.items():
        if _main.globals.get(name, MISSING) is _main.shipped.get(name, MISSING):
            _main.globals[name] = value
        _main.shipped[name] = value


def keep_class(token: str, make: Callable[..., type], args: tuple[Any, ...], key: str | None = None) -> type:
    """The class that the caller knows by that token, made if it is not here yet; results name it by the token."""
    cls = _classes.get(token)
    if cls is None:
        cls = _classes[token] = make(*args)
        _tokens[cls] = token
    if key is not None:
        _main.register(key, cls)
    return cls


def shipped(token: str) -> type:
    """The class with that token; in results it stands for the caller's own."""
    return _classes[token]


def shared(token: int) -> Any:
    """The object that was sent under that token, made when it is first asked for."""
    entry = _shared[token]
    if entry[0] is not None:
        entry[1] = _loads(entry[0])
        entry[0] = None
    return entry[1]


def from_source(text: str, filename: str, name: str, values: dict[str, Any]) -> Any:
    """What `name` is after this source has run among the names of `__main__`."""
    bind(values)
    scope: dict[str, Any] = {}
    exec(compile(text, filename, "exec", dont_inherit=True), _main.globals, scope)
    bind(scope)
    return scope[name]


def _loads(body: Any) -> Any:
    return pickle.loads(body)


# ---- modules ---------------------------------------------------------------------------------------------------------


class Modules:
    """A finder before all others: what is not the standard library's is asked for from the caller, once for each name.

    Args:
        ask: gives (source, filename, is it a package), or None if the host's own is to be used.
        sources: of modules that were shipped with this file.
    """

    def __init__(self, ask: Callable[[str], tuple[str, str, bool] | None], sources: dict[str, str]) -> None:
        self._ask = ask
        self._shipped = sources
        self._given: dict[str, tuple[str, str, bool] | None] = {}
        self.never = {*sys.builtin_module_names, *getattr(sys, "stdlib_module_names", ()), "__main__", "elsewhere"}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Called by the import system."""
        top, _, rest = name.partition(".")
        if top in self.never:
            return None
        if name not in self._given:
            if name in self._shipped:
                self._given[name] = self._shipped[name], f"<elsewhere {name}>", name == "cloudpickle"
            elif rest and self._given.get(name.rpartition(".")[0]) is None:
                return None  # its parent is the host's own
            else:
                self._given[name] = self._ask(name)
        given = self._given[name]
        if given is None:
            return None
        from importlib.machinery import ModuleSpec

        spec = ModuleSpec(name, self, origin=given[1], is_package=given[2])  # type: ignore[arg-type]  # a loader in all that matters
        spec.has_location = True
        return spec

    def create_module(self, spec: Any) -> None:
        """A plain one."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's source."""
        source, filename, _ = self._given[module.__name__] or ("", "", False)
        exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, name: str) -> str | None:
        """For tracebacks and `inspect`."""
        return (self._given.get(name) or (None,))[0]

    def is_package(self, name: str) -> bool:
        """Has it modules of its own?"""
        return bool((self._given.get(name) or (0, 0, False))[2])


# ---- what calls print and log ----------------------------------------------------------------------------------------


class Output(io.TextIOBase):
    """A text stream whose whole lines go to the caller; what is left goes at the end of a call."""

    encoding, errors, line_buffering = "utf-8", "backslashreplace", True

    def __init__(self, fd: int, send: Callable[[int, str], None]) -> None:
        super().__init__()
        self._fd = fd
        self._send = send
        self.parts: dict[int, list[str]] = {}  # of lines that have no end yet, by thread
        self.name, self.mode = ("<stdout>" if fd == STDOUT else "<stderr>"), "w"
        self.buffer = _Bytes(self)

    def write(self, text: str) -> int:
        """Keep text until its line is complete."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        thread = _thread.get_ident()
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if end:
            lines = "".join(self.parts.pop(thread, ())) + text[:end]
            if end < len(text):
                self.parts[thread] = [text[end:]]
            self._send(self._fd, lines)
        elif text:
            self.parts.setdefault(thread, []).append(text)
        return len(text)

    def finish(self) -> None:
        """The call is over: send what is left of its last line."""
        self.buffer.finish()
        for thread in list(self.parts):
            self._send(self._fd, "".join(self.parts.pop(thread, ())))

    def close(self) -> None:
        """It stays open: the next call prints, too."""

    def writable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """The file descriptor that programs started by a call inherit."""
        return self._fd

    def reconfigure(self, **options: Any) -> None:
        """It is UTF-8 and by line, whatever is asked for."""


class _Bytes(io.BufferedIOBase):
    """Bytes into an `Output`; a character may come in pieces."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self.torn = False  # has it the beginning of a character?

    def write(self, data: Any) -> int:
        data = bytes(data)
        self._output.write(self._decoder.decode(data))
        self.torn = bool(self._decoder.getstate()[0])
        return len(data)

    def finish(self) -> None:
        if self.torn:
            self.torn = False
            self._output.write(self._decoder.decode(b"", final=True))

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._output.fileno()


PLAIN = frozenset({int, float, complex, bool, type(None), str, bytes})


def is_plain(value: Any, deep: int = 4) -> bool:
    """Can it travel as it is, being itself and unchanged when the caller looks at it?"""
    kind = type(value)
    if kind in PLAIN:
        return True
    if not deep or kind not in (tuple, list, dict):
        return False
    return all(is_plain(part, deep - 1) for part in ([*value, *value.values()] if kind is dict else value))


class Relay:
    """A handler above the root logger: `root.handlers` stays empty, so that `basicConfig` works as ever.

    A worker whose root logger has a handler of its own logs by itself, and sends no records.
    """

    level, formatter = 0, None

    def __init__(self, send: Callable[[int, bytes], None], levels: dict[str, Any]) -> None:
        import logging

        self._send = send
        self._process = os.getpid()
        self._logging: Any = logging
        above: Any = logging.Logger("elsewhere")  # noqa: LOG001 - no logger of the tree: what stands above its root
        above.handlers = [self]
        logging.root.parent = above
        logging.root.setLevel(levels.get("root", logging.WARNING))
        logging.disable(levels.get("disable", 0))
        for name, level in levels.get("levels", {}).items():
            logging.getLogger(name).setLevel(level)
        for name in levels.get("disabled", ()):
            logging.getLogger(name).disabled = True

    def handle(self, record: Any) -> bool:
        """Send a record, unless the worker logs by itself; with the loggers on its way that have a handler here."""
        manager, root = self._logging.Logger.manager, self._logging.root
        taken = []
        logger = manager.loggerDict.get(record.name)
        while isinstance(logger, self._logging.Logger) and logger is not root:
            if any(record.levelno >= handler.level for handler in self._real(logger)):
                taken.append(logger.name)
            logger = logger.parent
        if self._real(root):
            return True
        if os.getpid() == self._process:
            self._send(RECORD, pickle.dumps((self._plain(record), {}, taken), 4))
        elif self._logging.lastResort is not None and not taken:
            self._logging.lastResort.handle(record)  # a child that a call has forked: it is not our worker
        return True

    def _real(self, logger: Any) -> list[Any]:
        return [one for one in logger.handlers if not isinstance(one, self._logging.NullHandler)]

    def _plain(self, record: Any) -> dict[str, Any]:
        state = dict(record.__dict__)
        if state.get("exc_info"):
            state["exc_text"] = state.get("exc_text") or self._logging.Formatter().formatException(state["exc_info"])
        state["exc_info"] = None
        if not is_plain(state.get("args")):  # its text is what was meant: the object may have changed when it is read
            try:
                state["msg"], state["args"] = record.getMessage(), None
            except Exception:
                state["args"] = (text_of(state["args"], repr),)
        if type(state.get("msg")) is not str:
            state["msg"] = text_of(state.get("msg"))
        if state.get("processName") in (None, "MainProcess"):
            state["processName"] = f"Worker-{os.getpid()}"
        return {name: value if is_plain(value) else text_of(value, repr) for name, value in state.items()}


def relay_warnings(send: Callable[[int, bytes], None]) -> None:
    """What would be shown here is shown by the caller's `warnings`, by its filters."""
    import warnings

    original, process = warnings.showwarning, os.getpid()

    def showwarning(
        message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        if file is not None or os.getpid() != process:
            original(message, category, filename, lineno, file, line)
            return
        known = next(kind.__name__ for kind in category.__mro__ if kind.__module__ == "builtins")
        found: Any = sys._getframe(1)
        while found is not None and found.f_code.co_filename != filename:
            found = found.f_back
        module = found and found.f_globals.get("__name__")
        module = module if isinstance(module, str) else None
        send(WARNING, pickle.dumps((None, text_of(message), known, filename, lineno, module), 4))

    warnings.showwarning = showwarning


# ---- answers ---------------------------------------------------------------------------------------------------------


class CallCancelled(Exception):
    """Raised inside a call that was cancelled."""


class CallTimeout(TimeoutError):
    """Raised inside a call that ran longer than its timeout."""


CallCancelled.__module__ = CallTimeout.__module__ = "elsewhere.errors"


class _Results(pickle.Pickler):
    """Classes that were shipped go back as their tokens."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type) and obj in _tokens:
            return shipped, (_tokens[obj],)
        return NotImplemented


def dumps(value: Any) -> bytes:
    """A result as bytes."""
    if not _tokens:
        return pickle.dumps(value, 5)
    file = io.BytesIO()
    pickler = _Results(file, 5)
    try:
        pickler.dump(value)
    finally:
        pickler.clear_memo()  # a pickler is part of a cycle, and what it remembers may be large
    return file.getvalue()


def text_of(value: Any, form: Callable[[Any], str] = str) -> str:
    """Its text; never raises an `Exception`."""
    try:
        return form(value)
    except Exception as error:
        return f"<{type(value).__qualname__} whose {form.__name__}() raises {type(error).__name__}>"


def function_name(fn: Any) -> str:
    """A name a reader recognises."""
    inner = getattr(fn, "func", None)
    if inner is not None and not hasattr(fn, "__qualname__"):
        return f"partial({function_name(inner)})"
    name = getattr(fn, "__qualname__", None) or type(fn).__qualname__
    module = getattr(fn, "__module__", None)
    return f"{module}.{name}" if module not in (None, "__main__", "builtins") else str(name)


def describe_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The call as a reader would write it, long arguments shortened."""
    from reprlib import Repr

    short = Repr()
    short.maxstring = short.maxother = 60
    short.maxlevel = 3
    try:
        parts = [short.repr(value) for value in args] + [f"{key}={short.repr(kwargs[key])}" for key in kwargs]
    except Exception:
        parts = ["..."]
    return f"{name}({', '.join(parts)})"


def envelope(error: BaseException, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], seconds: float) -> bytes:
    """An error in a form that always arrives: in words, and pickled if it can be."""
    import traceback

    told = traceback.TracebackException(type(error), error, error.__traceback__)
    try:
        _own_frames_off(told)
        trace = "".join(told.format())
    except Exception:  # an error's own __str__ may raise
        trace = f"{type(error).__qualname__}: {text_of(error)}\n"
    body = None
    try:
        body = dumps(error.with_traceback(None))
    except Exception:
        body = None  # the words go alone
    kind = type(error)
    call = describe_call(name, args, kwargs)
    return pickle.dumps((body, f"{kind.__module__}.{kind.__qualname__}", text_of(error), trace, call, seconds), 4)


def _own_frames_off(told: Any) -> None:
    """Only the frames of the user's code stay, in all errors that are shown."""
    seen, waiting = set(), [told]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.stack[:] = [entry for entry in one.stack if entry.filename != FILE]
            waiting += [one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or ())]


FILE = text_of.__code__.co_filename  # where this file's own frames are


# ---- the worker ------------------------------------------------------------------------------------------------------

LOOK = 0.005  # seconds between two looks at whether the main thread is still busy
LOOKS = 200  # that find it idle, until the watch sleeps
AGAIN = 0.01  # seconds between an interrupt that comes during an import and the next
GRACE = 1.0  # seconds for what runs when the caller has gone: its `finally` clauses, atexit
THREADS_PATIENCE = 5.0  # seconds that a worker which leaves waits for threads that its calls have left running
PIECE = 1 << 16  # bytes read at a time: what a pipe holds


class Run:
    """A run of calls, and which of them are still to be begun."""

    __slots__ = ("at", "flags", "last", "number", "payload")

    def __init__(self, number: int, flags: int, payload: bytes, first: int) -> None:
        self.number, self.flags, self.payload = number, flags, payload
        self.at = first  # ordinal of the next
        self.last = first + COUNT.unpack_from(payload)[0] - 1


class Worker:
    """Serves one caller.

    `lock` guards what says which calls are still to be begun; `writing` keeps frames whole; who holds `reading` reads.

    Attributes:
        inside: does user code run? Interrupts raise only then.
        begun: the ordinal of the call that was begun last.
        spell: odd while the main thread is busy, and another number each time.
    """

    def __init__(self, reader: int, writer: int, sources: dict[str, str]) -> None:
        self._in, self._out = reader, writer
        self.lock, self.writing, self.reading = (
            _thread.allocate_lock(),
            _thread.allocate_lock(),
            _thread.allocate_lock(),
        )
        self._frames = Frames()
        self._queue: deque = deque()  # type: ignore[type-arg]  # 3.8's is no generic
        self._current: Run | None = None
        self._received = 0  # ordinal of the last call that was handed over
        self.begun = 0
        self._skips: list[tuple[int, int]] = []
        self._interrupt = 0, False  # ordinal; cancelled?
        self._raised = 0
        self.inside = False
        self.gone = self.leaving = self.forked = False
        self._waiting = False
        self._wake = _thread.allocate_lock()
        self._wake.acquire()
        self.spell = 1
        self._parked = False
        self._park = _thread.allocate_lock()
        self._park.acquire()
        self._news = threading.Condition()
        self._answers: dict[str, Any] = {}
        self._bodies: dict[int, Any] = {}
        self._functions: dict[int, Any] = {}
        self._loop: Any = None
        self._main = threading.main_thread().ident or 0
        self.modules = Modules(self._ask, sources)
        self._outputs: list[Output] = []

    # ---- out -------------------------------------------------------------------------------------------------------

    def send(self, kind: int, payload: bytes = b"", flags: int = 0, number: int = 0) -> None:
        """Write a frame, whole."""
        head = HEADER.pack(kind, flags, 0, number, len(payload))
        with self.writing:
            if self.forked:
                return
            if len(payload) < PIECE:
                self._write(head + payload)
            else:
                self._write(head)
                self._write(payload)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._write_some(rest) :]

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._out, data)
        except BlockingIOError:  # whoever made the pipe wants it so
            import select

            select.select((), (self._out,), ())
            return 0
        except OSError:
            self._hard_end()

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
            os.write(STDERR, text.encode(errors="backslashreplace"))
        else:
            self._aside(OUTPUT, stream, text.encode("utf-8", "surrogatepass"))

    def log(self, kind: int, data: bytes) -> None:
        """Send a log record or a warning."""
        self._aside(LOG, kind, data)

    def finish_output(self) -> None:
        """Send lines that have no end yet."""
        for output in self._outputs:
            if output.parts or output.buffer.torn:
                output.finish()

    # ---- in --------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Wait for input and take it in. Only who holds `reading` may call this."""
        try:
            data = os.read(self._in, PIECE)
        except BlockingIOError:
            import select

            select.select((self._in,), (), ())
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        try:
            frames = self._frames.feed(data)
        except ValueError as error:
            complain(f"what comes in is not from a caller of this worker's kind: {error}")
            self._hang_up()
            return
        for kind, flags, number, payload in frames:
            self._take(kind, flags, number, payload)

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        """One frame: what hurries is done at once, the rest is queued."""
        if kind == RUN:
            with self.lock:
                run = Run(number, flags, payload, self._received + 1)
                self._received = run.last
                self._queue.append(run)
                self._wake_main()
        elif kind == SKIP:
            with self.lock:
                self._skips.append(RANGE.unpack(payload))
        elif kind == WITHDRAW:
            self._withdraw()
        elif kind == INTERRUPT:
            self._interrupt = SIZE.unpack(payload)[0], bool(flags & 1)
            if self._interrupt[0] == self.begun and self.inside:
                signal.pthread_kill(self._main, signal.SIGURG)
        elif kind == MODULE:
            name, given = pickle.loads(payload)
            with self._news:
                self._answers[name] = given
                self._news.notify_all()
        elif kind == DUMP:
            self.send(STACKS, stacks().encode("utf-8", "backslashreplace"))
        else:
            with self.lock:
                self._queue.append((kind, number, payload))
                self._wake_main()

    def _wake_main(self) -> None:
        if self._waiting:
            self._waiting = False
            self._wake.release()

    def _leave_reading(self) -> None:
        self.reading.release()
        with self.lock:
            self._wake_main()  # it reads itself from now on

    def _withdraw(self) -> None:
        """What is not begun is not the worker's any more."""
        with self.lock:
            self._queue = deque(one for one in self._queue if not isinstance(one, Run))
            if self._current is not None:
                self._current.last = self.begun
            self._received = self.begun
            self._skips = [skip for skip in self._skips if skip[0] <= self.begun]
            begun = self.begun
        self.send(RELEASED, SIZE.pack(begun))

    def _next(self) -> Any:
        """The main thread's next piece of work; None when the caller has gone."""
        if not self._queue:
            self.spell += 1
            while not self._queue and not self.gone:
                if self.reading.acquire(False):
                    try:
                        self._read()
                    finally:
                        self.reading.release()
                    continue
                with self.lock:
                    if self._queue or self.gone:
                        break
                    self._waiting = True
                self._wake.acquire()
            self.spell += 1
            if self._parked:
                self._parked = False
                self._park.release()
        if self.gone:
            return None
        with self.lock:
            return self._queue.popleft() if self._queue else ()

    def watch(self) -> None:
        """A thread's: read on while the main thread is busy for long."""
        while True:
            looks, seen = 0, 0
            while looks < LOOKS:
                time.sleep(LOOK)
                spell = self.spell
                if not spell & 1:
                    looks, seen = looks + 1, 0
                elif spell != seen:
                    looks, seen = 0, spell
                elif self.reading.acquire(False):
                    try:
                        while not self._waiting and not self.gone:
                            self._read()
                    finally:
                        self._leave_reading()
                    looks = seen = 0
                if self.gone:
                    time.sleep(GRACE + self.leaving * THREADS_PATIENCE)
                    self._hard_end()
            self._parked = True
            if self.spell & 1 and self._parked:  # it has become busy just now, and may not have seen it
                self._parked = False
                continue
            self._park.acquire()

    def _hang_up(self) -> None:
        """The caller has gone: nothing more is begun, what runs is interrupted, and soon killed."""
        with self.lock:
            self.gone = True
            self._queue.clear()
            if self._current is not None:
                self._current.last = self.begun
            self._wake_main()
        with self._news:
            self._news.notify_all()
        self._interrupt = self.begun, True
        if self.inside:
            signal.pthread_kill(self._main, signal.SIGURG)

    def _hard_end(self) -> NoReturn:
        """Now, with the programs that calls have started, if this process leads their group."""
        if not self.forked and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    def _ask(self, name: str) -> Any:
        """Ask the caller for a module, and wait for the answer."""
        if self.forked or self.gone:
            return None
        self.send(ASK, name.encode("utf-8", "surrogatepass"))
        while name not in self._answers:
            if self.gone:
                raise ImportError(f"the caller has gone, which was asked for the module {name!r}")
            if self.reading.acquire(False):
                try:
                    if name not in self._answers:
                        self._read()
                finally:
                    self._leave_reading()
            else:
                with self._news:
                    if name not in self._answers:
                        self._news.wait(10 * LOOK)  # who reads may stop reading
        return self._answers.pop(name)

    # ---- calls -----------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Do what comes, until the caller says EXIT or has gone."""
        while not self.leaving:
            work = self._next()
            if work is None:
                return
            if isinstance(work, Run):
                self._run(work)
            elif work:
                self._obey(*work)

    def _obey(self, kind: int, number: int, payload: bytes) -> None:
        if kind == FUNCTION:
            self._bodies[number] = payload
            self._functions.pop(number, None)
        elif kind == FORGET:
            self._bodies.pop(number, None)
            self._functions.pop(number, None)
        elif kind == SHARE:
            _shared[number] = [payload, None]
        elif kind == UNSHARE:
            _shared.pop(number, None)
        elif kind == EXIT:
            self.leaving = True

    def _function(self, number: int) -> Any:
        """The function with this number, with the definitions that it needs in force."""
        found = self._functions.get(number, MISSING)
        if found is MISSING:
            found = self._functions[number] = pickle.loads(self._bodies[number])
            self._bodies[number] = b""
        if type(found) is Bound:
            _main.apply(found.needs)
            return found.function
        return found

    def _run(self, run: Run) -> None:
        """The calls of one run, as far as they are not taken back."""
        with self.lock:
            if self.gone or run.at > self._received:
                return
            self._current = run
        items = self._items(run)
        while True:
            with self.lock:
                if run.at > run.last:
                    self._current = None
                    return
                ordinal = self.begun = run.at
                run.at += 1
                skipped = bool(self._skips) and self._is_skipped(ordinal)
            item = next(items)
            if skipped:
                self.send(SKIPPED)
            else:
                self._one(run, item)
            del item

    def _is_skipped(self, ordinal: int) -> bool:
        self._skips = [skip for skip in self._skips if skip[1] >= ordinal]
        return any(first <= ordinal <= last for first, last in self._skips)

    @staticmethod
    def _items(run: Run) -> Iterator[Any]:
        """Its calls' items: (pickle, None), or (b"", value) where all are one pickle of plain values."""
        view = memoryview(run.payload)[COUNT.size :]
        run.payload = b""
        if run.flags & BATCHED:
            for value in pickle.loads(view):
                yield b"", value
        while view:
            size = SIZE.unpack_from(view)[0]
            yield view[SIZE.size : SIZE.size + size], None
            view = view[SIZE.size + size :]

    def _one(self, run: Run, item: Any) -> None:
        """One call, with everything that may happen to it."""
        shape, ordinal, begin = run.flags & SHAPE, self.begun, time.perf_counter()
        fn: Any = None
        args: tuple[Any, ...] = ()
        kwargs: dict[str, Any] = {}
        value: Any = None
        failure: BaseException | None = None
        try:
            try:
                self.inside = True
                if self._interrupt[0] == ordinal:  # it came before it could be raised
                    self.on_urgent(signal.SIGURG, None)
                fn = self._function(run.number)
                body, given = item
                if body:
                    given = pickle.loads(body)
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
        took = time.perf_counter() - begin
        try:
            body = pickle.dumps(value, 5) if type(value) in PLAIN else dumps(value)
        except MemoryError as error:
            return error
        except Exception as error:
            words = text_of(error), text_of(value, repr)
            call = describe_call(function_name(fn), args, kwargs)
            self.send(ERROR, pickle.dumps((None, "MaybeEncodingError", words, "", call, took), 4))
        else:
            self.send(VALUE, body, 0, min(int(took * 1e6), 0xFFFFFFFF))
        return None

    def _await(self, coroutine: Any) -> Any:
        """Run a coroutine on the worker's own loop; interrupted, it is cancelled so that it can clean up."""
        import asyncio

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        task = self._loop.create_task(coroutine)
        try:
            return self._loop.run_until_complete(task)
        except BaseException:
            if not task.done():
                task.cancel()
                self._loop.run_until_complete(asyncio.wait([task]))
                if not task.cancelled():
                    task.exception()
            raise

    def on_urgent(self, signum: int, found: Any) -> None:
        """SIGURG: the caller wants the call that it has named to stop."""
        ordinal, cancelled = self._interrupt
        if not self.inside or ordinal != self.begun or ordinal == self._raised:
            return
        while found is not None and found.f_code is not Worker._one.__code__:
            if found.f_code.co_filename == "<frozen importlib._bootstrap>":
                # A package whose import was broken off cannot be imported again. Without `threading`, whose locks may
                # be held by the code that is interrupted.
                _thread.start_new_thread(self._signal_again, (os.getpid(),))
                return
            found = found.f_back
        self._raised = ordinal
        if cancelled:
            raise CallCancelled("this call was cancelled")
        raise CallTimeout("this call ran longer than its timeout")

    def _signal_again(self, pid: int) -> None:
        time.sleep(AGAIN)
        if os.getpid() == pid:
            signal.pthread_kill(self._main, signal.SIGURG)

    # ---- start and end ---------------------------------------------------------------------------------------------

    def start(self) -> bool:
        """Greet, take the setup and run the initializer; False if that cannot be."""
        self.send(HELLO, hello())
        first = self._next()
        if first is None or isinstance(first, Run) or first[0] != SETUP:
            if not self.gone:
                complain("the first frame is to be a SETUP")
            return False
        try:
            self._adopt(pickle.loads(first[2]))
        except BaseException as error:
            self.finish_output()
            self.send(FAILED, envelope(error, "initializer", (), {}, 0.0))
            return False
        self.finish_output()
        self.send(READY)
        return True

    def _adopt(self, given: dict[str, Any]) -> None:
        hold(given.get("cores") or cores(), given.get("workers") or 1)
        self.modules.never.update(given.get("stdlib", ()))
        sys.meta_path.insert(0, self.modules)
        self._outputs = [Output(STDOUT, self.print), Output(STDERR, self.print)]
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = self._outputs  # type: ignore[assignment, misc]  # TextIOs in all that matters
        relay_warnings(self.log)
        Relay(self.log, given.get("levels") or {})
        body = given.get("initializer")
        if body is not None:
            initializer, initargs = opened((), body)
            initializer(*initargs)

    def in_fork(self) -> None:
        """In a child that a call has made by fork: the channel is the worker's alone."""
        self.forked = True
        self.writing = _thread.allocate_lock()
        for fd in (self._in, self._out):
            os.close(fd)

    def _end_fork(self, failure: BaseException | None) -> NoReturn:
        """The forked child has come back from the call: it ends here, as a program that falls off its end."""
        if failure is not None and not isinstance(failure, SystemExit):
            sys.excepthook(type(failure), failure, failure.__traceback__)
        self.finish_output()
        code = failure.code if isinstance(failure, SystemExit) else int(failure is not None)
        os._exit(code if isinstance(code, int) else int(code is not None))

    def leave(self) -> None:
        """An orderly end, as an interpreter's: threads are waited for, what was registered with atexit runs."""
        import atexit

        try:
            join_threads()
            if self._loop is not None:
                self._loop.close()
            atexit._run_exitfuncs()  # what the interpreter calls
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            self.finish_output()
        if self.gone and os.getpgrp() == os.getpid():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)


def join_threads() -> None:
    """Wait for the threads that are not daemons; in a thread, since one that never ends must not hold the caller up."""
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    if all(thread.daemon for thread in others) and "concurrent.futures.thread" not in sys.modules:
        return

    def end() -> None:
        for function in reversed(list(getattr(threading, "_threading_atexits", ()))):
            function()
        mine = threading.main_thread(), threading.current_thread()
        while True:
            left = [thread for thread in threading.enumerate() if not thread.daemon and thread not in mine]
            if not left:
                return
            for thread in left:  # which may start others meanwhile
                thread.join()

    joiner = threading.Thread(target=end, name="elsewhere-exit", daemon=True)
    joiner.start()
    joiner.join(THREADS_PATIENCE)
    if joiner.is_alive():
        names = ", ".join(repr(thread.name) for thread in others if not thread.daemon and thread.is_alive())
        complain(f"it leaves although threads of its calls have not ended in {THREADS_PATIENCE:g} s: {names}")


def complain(text: str) -> None:
    """Last words, on the descriptor that goes where the line's own messages go."""
    os.write(STDERR, f"elsewhere: worker {os.getpid()}: {text}\n".encode("utf-8", "backslashreplace"))


def stacks() -> str:
    """What all threads do now."""
    import traceback

    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident, found in sys._current_frames().items():
        if ident != _thread.get_ident():
            parts += [f"Thread {names.get(ident, ident)}:\n", *traceback.format_stack(found), "\n"]
    return "".join(parts)


def cores() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def hello() -> bytes:
    """What the caller is told first."""
    import json

    told = {"version": list(sys.version_info[:3]), "implementation": sys.implementation.name, "pid": os.getpid()}
    told.update(cores=cores(), platform=sys.platform, executable=sys.executable)
    return json.dumps(told).encode()


THREAD_COUNTS = "OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA"


def hold(total: int, workers: int) -> None:
    """One budget of cores for all workers of a machine, told to what calls use and start, unless the host says more."""
    share = str(max(1, total // workers))
    os.environ["ELSEWHERE_CPUS"] = share
    for name in (*(f"{name}_NUM_THREADS" for name in THREAD_COUNTS), "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, share)


def no_breakpoint(*args: Any, **kwargs: Any) -> NoReturn:
    """For sys.breakpointhook."""
    raise RuntimeError("breakpoint() has no terminal on another machine")


def main(modules: Sequence[bytes]) -> NoReturn:
    """Serve the caller at the other end of stdin and stdout; what else is printed goes to stderr.

    Args:
        modules: names and sources of those that were shipped with this file, in turns.
    """
    global _main
    code = 1
    try:
        sources = {name.decode(): source.decode() for name, source in zip(modules[::2], modules[1::2])}
        worker = Worker(os.dup(0), os.dup(1), sources)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        fresh = ModuleType("__main__")
        fresh.__dict__["__builtins__"] = __builtins__
        sys.modules["__main__"] = fresh
        _main = Namespace(fresh.__dict__)
        os.register_at_fork(after_in_child=worker.in_fork)
        signal.signal(signal.SIGURG, worker.on_urgent)
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the caller's to answer
        sys.breakpointhook = no_breakpoint
        _thread.start_new_thread(worker.watch, ())
        if worker.start():
            worker.serve()
            worker.leaving = True
            worker.leave()
            code = 0
    except BaseException:
        complain("it ends by a mistake of its own")
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(code)
