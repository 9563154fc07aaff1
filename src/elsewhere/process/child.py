"""The first and the last lines of a process: unpack the `Process` object, let it run, leave as an interpreter does.

Rule: what can be done once in the fork server is imported there with this module; the rest happens in here. Output goes
to the caller's own stdout and stderr, which the process has inherited.
"""

from __future__ import annotations

import atexit
import multiprocessing.context
import os
import pickle
import socket
from multiprocessing import resource_tracker, util
from typing import Any, NoReturn

from elsewhere.process import defaults
from elsewhere.process.answer import Mouth, reporting
from elsewhere.process.popen import LENGTH, called
from elsewhere.process.process import Process
from elsewhere.runtime.packing import Namespace
from elsewhere.runtime.worker.handles import receiving
from elsewhere.runtime.worker.surroundings import apply_surroundings, fresh_main

__all__ = ["enter"]


def enter(fds: list[int], inherited: object = None) -> NoReturn:
    """Run the process whose object comes through ``fds[0]``.

    Then come its parent's pidfd, the resource tracker's descriptor if there is one, and those of its arguments.
    """
    sock, parent = socket.socket(fileno=fds.pop(0)), fds.pop(0)
    payload = _receive(sock)
    if payload is None:
        os._exit(1)  # the caller has gone, or has given it up
    fresh_main()
    given, definitions, body, needs = pickle.loads(payload)
    apply_surroundings(given)
    _apply_methods(given)
    if given["trackers"]:
        tracker: Any = resource_tracker._resource_tracker
        tracker._fd = fds.pop(0)
    try:
        with receiving(fds):
            obj = _unpack(definitions, body, needs)
    except BaseException as error:
        Mouth(sock, "the process's object, while it was unpickled").error(error)
        raise
    process: Any = obj  # the stubs have nothing of what follows
    process.run = reporting(obj.run, Mouth(sock, called(obj)), quiet=obj._quiet)
    code = process._bootstrap(parent_sentinel=parent)
    _leave(code)


def _receive(sock: socket.socket) -> bytearray | None:
    """What the caller sends; None if it has gone before the end."""
    length = bytearray(LENGTH.size)
    if not _fill(sock, length):
        return None
    payload = bytearray(LENGTH.unpack(length)[0])
    return payload if _fill(sock, payload) else None


def _fill(sock: socket.socket, buffer: bytearray) -> bool:
    view = memoryview(buffer)
    while view:
        count = sock.recv_into(view)
        if not count:
            return False
        view = view[count:]
    return True


def _unpack(definitions: list[tuple[bytes, str, bytes]], body: bytes, needs: tuple[bytes, ...]) -> Process:
    namespace = Namespace()
    for definition in definitions:
        namespace.learn(*definition)
    namespace.apply(needs)
    obj = namespace.loads(body)
    assert isinstance(obj, Process)
    return obj


def _apply_methods(given: dict[str, Any]) -> None:
    """The start methods of processes that this one starts, and multiprocessing's log."""
    default, theirs = given["default_method"], given["their_method"]
    defaults.set_start_method(default, force=True)
    context: Any = multiprocessing.context
    if theirs is not None:
        context._force_start_method(theirs)
    if given["log_level"] is not None:
        util.get_logger().setLevel(given["log_level"])
    if given["log_to_stderr"]:
        util.log_to_stderr()


def _leave(code: int) -> NoReturn:
    """What `_bootstrap` leaves to the interpreter's own end."""
    try:
        atexit._run_exitfuncs()
    finally:
        util._flush_std_streams()  # type: ignore[attr-defined]  # not in the stubs
        os._exit(code & 0xFF)
