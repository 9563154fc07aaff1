"""What workers print, log and warn of, handled here as if it had been made here.

Rule: the caller's loggers, filters and handlers decide, as they are now; whatever they raise hurts nobody's call.

They run in whichever thread drives the pool, before the outcome of the call is told, in the context of who submitted
it: a handler must not wait for a call of the same pool.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import pickle
import sys
import warnings
from collections.abc import Callable
from typing import Any

from elsewhere.runtime.packing import loads_result
from elsewhere.runtime.worker.streams.logs import RECORD

__all__ = ["handle", "prefixed", "show", "take_levels"]

Loads = Callable[[bytes], Any]

_registries: dict[str, dict[str | tuple[str, type[Warning], int], int]] = {}  # of modules that are not imported here


def take_levels() -> dict[str, Any]:
    """The levels that are set now, for workers: what would be dropped here is not sent."""
    manager = logging.Logger.manager
    loggers = {name: one for name, one in list(manager.loggerDict.items()) if isinstance(one, logging.Logger)}
    return {
        "root": int(logging.root.level),
        "disable": int(manager.disable),
        "levels": {name: int(one.level) for name, one in loggers.items() if one.level},
        "disabled": [name for name, one in loggers.items() if one.disabled],
    }


def show(number: int, payload: bytes, context: contextvars.Context | None) -> None:
    """Write out what a call printed, where the caller's own print would go now.

    Args:
        number: 1 for stdout, 2 for stderr.
        payload: the text, whose surrogates have passed.
        context: see `handle`.
    """
    text = payload.decode("utf-8", "surrogatepass")
    stream = sys.stderr if number == 2 else sys.stdout
    if stream is None:
        return

    def write() -> None:
        try:
            stream.write(text)
        except UnicodeEncodeError as error:  # what this stream cannot hold is shown, as on stderr
            stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        stream.flush()

    with contextlib.suppress(Exception):  # a closed or broken stream must not stop the pool
        if context is not None:
            context.run(write)
        else:
            write()


def prefixed(name: str, text: bytes) -> bytes:
    """The text of a host, whose name stands before each of its lines."""
    before = f"[{name}] ".encode()
    return b"".join(before + line for line in text.splitlines(keepends=True))


def handle(
    kind: int, payload: bytes, context: contextvars.Context | None, loads: Loads | None = None, host: str = ""
) -> None:
    """One LOG frame of a worker.

    Args:
        kind: what it is.
        context: the context variables of who submitted the call; None if it is nobody's.
        loads: opens all that it holds, where a worker is not to be believed; None for pickle's own way.
        host: the worker's, which a record then has as its attribute `host`, and in front of its message; "" for none.
    """
    work = _log if kind == RECORD else _warn
    try:
        if context is not None:
            context.run(work, payload, loads, host)
        else:
            work(payload, loads, host)
    except Exception:  # noqa: BLE001 - a filter of the user's may raise anything, and the pool goes on
        if logging.raiseExceptions and sys.stderr is not None:
            with contextlib.suppress(Exception):
                import traceback

                sys.stderr.write("--- Logging error ---\n" + traceback.format_exc())


# ---- records ---------------------------------------------------------------------------------------------------------


def _log(payload: bytes, loads: Loads | None, host: str) -> None:
    state, packed, taken = (loads or pickle.loads)(payload)
    for name, body in packed.items():
        try:
            state[name] = (loads or loads_result)(body)
        except Exception as error:  # noqa: BLE001 - an attribute that cannot be read is no reason to lose the record
            state[name] = f"<it cannot be unpickled here: {error!r}>"
    if host:
        from elsewhere.runtime.far.opening.records import record_of

        state = record_of(state)
    record = logging.makeLogRecord({})
    offset = record.relativeCreated - record.created * 1000  # the worker's clock began at another moment
    record.__dict__.update(state)
    if host:
        record.__dict__["host"] = host
        record.msg = f"[{host.replace('%', '%%') if record.args else host}] {record.msg}"
    record.relativeCreated = max(0.0, record.created * 1000 + offset)
    logger = _logger(record.name, known=bool(host))
    if not logger.isEnabledFor(record.levelno):
        return
    if not taken:
        logger.handle(record)
    elif not logger.disabled:
        _handle_above(logger, record, frozenset(taken))


def _logger(name: str, *, known: bool) -> logging.Logger:
    """The logger of that name; `known`: or the next above it that is there, as a logger stays for good."""
    while known and name and not isinstance(logging.Logger.manager.loggerDict.get(name), logging.Logger):
        name = name.rpartition(".")[0]
    return logging.getLogger(name if name != "root" else None)


def _handle_above(logger: logging.Logger, record: logging.LogRecord, taken: frozenset[str]) -> None:
    """As `Logger.handle`, without the handlers of the loggers that the worker has asked itself."""
    passed: Any = logger.filter(record)
    if isinstance(passed, logging.LogRecord):  # from Python 3.12 on, a filter may replace it
        record = passed
    if not passed:
        return
    one: logging.Logger | None = logger
    while one is not None:
        for handler in one.handlers if one.name not in taken else ():
            if record.levelno >= handler.level:
                handler.handle(record)
        one = one.parent if one.propagate else None


# ---- warnings --------------------------------------------------------------------------------------------------------


def _warn(payload: bytes, loads: Loads | None, host: str) -> None:
    body, text, known, filename, lineno, name = (loads or pickle.loads)(payload)
    if host:
        from elsewhere.runtime.far.opening.records import file_of, text_of

        body, text, filename = None, f"[{host}] {text_of(text)}", file_of(filename, host)
    message = _message(body, text, known, loads or loads_result)
    category = type(message)
    module = sys.modules.get(name)
    registry = _registries.setdefault(name or filename, {})
    if module is not None and getattr(module, "__file__", filename) == filename:
        registry = module.__dict__.setdefault("__warningregistry__", {})
    show: Callable[..., None] = warnings.showwarning
    try:
        warnings.warn_explicit(message, category, filename, lineno, name, registry)
    except category:  # a filter of "error": what was to be raised has been left long ago
        show(message, category, filename, lineno)


def _message(body: bytes | None, text: str, known: str, loads: Loads) -> Warning:
    """The warning itself; if it cannot travel, one of its builtin base with its text."""
    if body is not None:
        with contextlib.suppress(Exception):
            found = loads(body)
            if isinstance(found, Warning):
                return found
    kind = vars(__import__("builtins")).get(known, UserWarning)
    return kind(text) if issubclass(kind, Warning) else UserWarning(text)
