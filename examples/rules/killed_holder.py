"""A process is killed while it holds a lock, or waits in a queue's get. See docs/rules.md."""

import multiprocessing
import os
import queue
import signal
import time

import elsewhere


def take(thing, taken):
    if hasattr(thing, "acquire"):
        thing.acquire()
    taken.set()
    if hasattr(thing, "get"):
        thing.get()
    signal.pause()


def asleep(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "S"


def after_a_kill(library, thing):
    """Whether others can still use it."""
    taken = library.Event()
    process = library.Process(target=take, args=(thing, taken))
    process.start()
    taken.wait()
    time.sleep(0.1)
    while not asleep(process.pid):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    if hasattr(thing, "acquire"):
        return "free" if thing.acquire(timeout=0.5) else "locked for ever"
    thing.put("something")
    try:
        return f"get() gives {thing.get(timeout=0.5)!r}"
    except queue.Empty:
        return "get() waits for ever"


theirs = multiprocessing.get_context("fork")
print("multiprocessing.Lock:  ", after_a_kill(theirs, theirs.Lock()))
print("multiprocessing.Queue: ", after_a_kill(theirs, theirs.Queue()))
print("elsewhere.Lock:        ", after_a_kill(elsewhere, elsewhere.Lock()))
print("Lock(robust=True):     ", after_a_kill(elsewhere, elsewhere.Lock(robust=True)))
print("elsewhere.Queue:       ", after_a_kill(elsewhere, elsewhere.Queue()))
