"""Ten children that have ended and were not joined: who is still in the system's table? See docs/rules.md."""

import multiprocessing
import time

import elsewhere


def state(pid):
    """The letter that Linux has for it: R runs, S sleeps, Z is a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def zombies(library):
    barrier = library.Barrier(10)  # none ends before the last has begun
    children = [library.Process(target=barrier.wait) for _ in range(10)]
    for child in children:
        child.start()
    while not all(state(child.pid) in ("Z", "gone") for child in children):
        time.sleep(0.01)
    time.sleep(0.5)  # all have ended half a second ago
    before = sum(state(child.pid) == "Z" for child in children)
    for child in children:
        child.join()
    return f"{before} zombies, {sum(state(child.pid) == 'Z' for child in children)} after join"


print("multiprocessing:", zombies(multiprocessing.get_context("fork")))
print("elsewhere:      ", zombies(elsewhere))
