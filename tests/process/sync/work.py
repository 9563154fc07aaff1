"""What runs in other processes in the tests of this folder."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import queue
import signal
from typing import Any

import elsewhere

METHODS = ("forkserver", "spawn", "fork")


class Explosive:
    """An item that cannot be pickled."""

    def __reduce__(self):
        raise ZeroDivisionError("not to be pickled")


def start(method: str, target: Any, *args: Any) -> multiprocessing.process.BaseProcess:
    """A process of multiprocessing's."""
    context: Any = multiprocessing.get_context(method)
    process: multiprocessing.process.BaseProcess = context.Process(target=target, args=args)
    process.start()
    return process


def end(process: multiprocessing.process.BaseProcess) -> int | None:
    """Its exit code."""
    process.join(30)
    code = process.exitcode
    process.close()
    return code


def kill(process: multiprocessing.process.BaseProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    assert end(process) == -signal.SIGKILL


def put_numbers(items: Any, first: int, count: int) -> None:
    for number in range(first, first + count):
        items.put(number)


def put_marked(items: Any, mark: int, count: int, size: int = 0) -> None:
    for number in range(count):
        items.put((mark, number, bytes([number % 256]) * size))


def move(items: Any, taken: Any) -> None:
    """From one queue to another, until None comes."""
    while (item := items.get()) is not None:
        taken.put(item)


def move_marked(items: Any, taken: Any, mark: int) -> None:
    """From one queue to another, saying who did it, until None comes; the first says that it begins."""
    item = None
    while True:
        taken.put((mark, item))
        item = items.get()
        if item is None:
            return


def put_for_ever(items: Any, mark: int) -> None:
    number = 0
    while True:
        items.put((mark, number, b"x" * (number % 5000)))
        number += 1


def double(items: Any, results: Any) -> int:
    """For a Pool's call."""
    number = items.get()
    results.put(2 * number)
    return int(number)


def work_off(items: Any) -> None:
    while items.get() is not None:
        items.task_done()
    items.task_done()


def say_and_get(ready: Any, items: Any, results: Any) -> None:
    ready.put(os.getpid())
    results.put(items.get())


def try_to_get(items: Any, results: Any) -> None:
    try:
        results.put(items.get(timeout=0.01))
    except queue.Empty:
        results.put("empty")


def give(value: Any) -> Any:
    return value


def make_queue() -> Any:
    """In a worker, which then lets go of it."""
    return elsewhere.Queue()


def count(lock: Any, number: Any, times: int) -> None:
    """Read, and write one more, under a lock: without it, numbers are lost."""
    for _ in range(times):
        with lock:
            found = number.get()
            number.put(found + 1)


def hold(lock: Any, held: Any) -> None:
    lock.acquire()
    held.put(os.getpid())
    signal.pause()


def acquired(lock: Any, timeout: float) -> bool:
    if not lock.acquire(timeout=timeout):
        return False
    lock.release()
    return True


def both(lock: Any, copy: Any) -> None:
    with lock:
        assert not copy.acquire(timeout=0.01)
    with copy:
        assert not lock.acquire(timeout=0.01)


def wait_for(event: Any) -> bool:
    return bool(event.wait(30))


def meet(barrier: Any) -> int:
    return int(barrier.wait(30))


def notified(condition: Any, ready: Any) -> bool:
    with condition:
        ready.put(True)
        return bool(condition.wait(30))


def echo(end: Any) -> None:
    """What comes, twice, until the other end closes."""
    try:
        while True:
            end.send(end.recv() * 2)
    except EOFError:
        end.close()


def say(end: Any, word: str) -> None:
    end.send(word)
    end.close()


kept: tuple[Any, ...] = ()


def keep(*values: Any) -> None:
    """An initializer."""
    global kept
    kept = values


def use_kept(number: int) -> int:
    items, lock, end = kept
    with lock:
        items.put(number)
        end.send(number)
    return number


class Pressed:
    """Ctrl-C is pressed while it is unpickled, as long as it is armed."""

    armed = False

    def __reduce__(self) -> Any:
        return _pressed, ()


def _pressed() -> Pressed:
    if Pressed.armed:
        raise KeyboardInterrupt
    return Pressed()


class Unloadable:
    def __reduce__(self) -> Any:
        return divmod, (1, 0)


def die_in_put(block: Any) -> None:
    """Be killed with an item written and not yet published, holding the mutex."""
    from elsewhere.process.sync.log import Log

    log = Log(block)
    real = log._write_large

    def write(*arguments: Any) -> None:
        real(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    log._write_large = write  # type: ignore[method-assign,assignment]  # a kill in the middle
    log.put(b"never there")


def is_whole(item: bytes) -> bool:
    return len(set(item)) == 1


def put_large_for_ever(items: Any, size: int) -> None:
    number = 0
    while True:
        number += 1
        items.put(bytes([number % 251]) * (size + number % 1000))


def check_large(items: Any, taken: Any) -> None:
    while True:
        taken.put(is_whole(items.get()))
