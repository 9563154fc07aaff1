"""What can be sent and forgotten at once, of each kind, and what runs in other processes in the tests of that."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path
from typing import Any

import elsewhere

KINDS: dict[str, Any] = {
    "Queue": elsewhere.Queue,
    "bounded Queue": lambda: elsewhere.Queue(3),
    "SimpleQueue": elsewhere.SimpleQueue,
    "JoinableQueue": elsewhere.JoinableQueue,
    "Lock": elsewhere.Lock,
    "Lock(robust=True)": lambda: elsewhere.Lock(robust=True),
    "RLock": elsewhere.RLock,
    "Semaphore": elsewhere.Semaphore,
    "BoundedSemaphore": elsewhere.BoundedSemaphore,
    "Event": elsewhere.Event,
    "Condition": elsewhere.Condition,
    "Barrier": lambda: elsewhere.Barrier(1),
    "Value": lambda: elsewhere.Value("i", 3),
}


def make(kind: str) -> Any:
    """In a worker, which then lets go of it."""
    return KINDS[kind]()


def use(thing: Any) -> str:
    """Do what it is for; what it is."""
    if hasattr(thing, "put"):
        thing.put("item")
        assert thing.get() == "item"
    elif hasattr(thing, "get_obj"):
        with thing.get_lock():
            thing.value += 1
    elif hasattr(thing, "is_set"):
        assert not thing.is_set()
        thing.set()
        assert thing.wait(0)
        thing.clear()
    elif hasattr(thing, "parties"):
        assert thing.wait(30) == 0
    else:
        assert thing.acquire(timeout=30)
        thing.release()
    return type(thing).__name__


def use_both(first: Any, second: Any) -> str:
    assert use(first) == use(second)
    return use(first)


def use_entry(proxy: Any, key: str) -> str:
    """Of a manager's dict."""
    return use(proxy[key])


def use_shared(things: dict[str, Any]) -> int:
    use(things["it"])
    return os.getpid()


def use_together(things: dict[str, Any], together: Any) -> int:
    """In two workers at once."""
    together.wait(30)
    return use_shared(things)


def put_and_forget(kind: str, count: int, items: Any, ready: Any, over: Any) -> None:
    """Put new ones into a queue, forget them, and stay until it is over."""
    for _ in range(count):
        items.put(make(kind))
    ready.set()
    over.wait(30)


def take_and_use(items: Any, count: int) -> list[str]:
    return [use(items.get(timeout=30)) for _ in range(count)]


def receive_and_use(end: Any, count: int) -> list[str]:
    return [use(end.recv()) for _ in range(count)]


def store_and_pause(kind: str, path: str, ready: Any) -> None:
    """Pickle one into a file, and wait to be killed."""
    Path(path).write_bytes(pickle.dumps(make(kind)))
    ready.set()
    signal.pause()


def put_and_pause(kind: str, items: Any, ready: Any) -> None:
    items.put(make(kind))
    ready.set()
    signal.pause()


def load_and_use(path: str) -> str:
    return use(pickle.loads(Path(path).read_bytes()))


def fail_once(thing: Any, path: str) -> str:
    """A call that is repeated."""
    use(thing)
    if not os.path.exists(path):
        Path(path).touch()
        raise OSError("again")
    return use(thing)


def die_once(thing: Any, path: str) -> str:
    use(thing)
    if not os.path.exists(path):
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return use(thing)


def reader_with(item: Any) -> Any:
    """The end of a new pipe whose other end is closed, with something in it."""
    reader, writer = elsewhere.Pipe(duplex=False)
    writer.send(item)
    writer.close()
    return reader


def read_all(end: Any) -> list[Any]:
    found = []
    try:
        while True:
            found.append(end.recv())
    except EOFError:
        end.close()
    return found


def send_and_call(end: Any, function: Any) -> None:
    end.send(function())
