"""Queues and pipes: writers and readers that are killed.

Rule: after each blow somebody else puts and gets, without a timeout: who waits in vain hangs, and the runner sees it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.faults.sharing import children
from benchmarks.faults.sharing.kit import EXPIRED, Fault, Kit

__all__ = ["FAULTS"]

GOES_ON = "the others go on"
KINDS = ("Queue", "JoinableQueue", "SimpleQueue")
END = "end"
UNSENT, SIZE = 1000, 1000  # items and bytes of each: far more than a pipe of the kernel holds
LARGE = 10_000_000
ROOM = 5  # items of a queue with a limit
UNDONE = "nobody else can know whether an item is done with"


def writer_killed(kind: str, size: int, most: int) -> Callable[[Kit], Iterator[str]]:
    def run(kit: Kit) -> Iterator[str]:
        items = kit.make(kind)
        for mark in kit.rounds():
            writer = kit.begin(children.put_for_ever, items, mark, size, most)
            next_numbers = [0] * (mark + 1)
            taken = [items.get() for _ in range(kit.pick.randrange(1, 5))]
            kit.moment()
            kit.strike(writer)
            items.put(END)
            while (item := items.get()) != END:
                taken.append(item)
            yield whole(taken, next_numbers, size)

    return run


def whole(taken: list[Any], expected: list[int], size: int) -> str:
    """Are they all of the last writer, whole, in order, and none missing?"""
    for mark, number, body in taken:
        if number != expected[mark] or len(body) != size:
            return "an item is missing or torn"
        expected[mark] += 1
    return GOES_ON


def reader_killed(kind: str) -> Callable[[Kit], Iterator[str]]:
    def run(kit: Kit) -> Iterator[str]:
        items = kit.make(kind)
        for _ in kit.rounds():
            reader = kit.begin(children.get_for_ever, items)
            for number in range(kit.pick.randrange(1, 300)):
                items.put(number)
            kit.moment()
            kit.strike(reader)
            yield goes_on(items)

    return run


def waiting_reader_killed(kind: str) -> Callable[[Kit], Iterator[str]]:
    def run(kit: Kit) -> Iterator[str]:
        items = kit.make(kind)
        for _ in kit.rounds():
            reader = kit.begin(children.get_for_ever, items)
            assert reader.pid is not None
            kit.asleep(reader.pid)
            kit.strike(reader)
            yield goes_on(items)

    return run


def goes_on(items: Any) -> str:
    items.put(END)
    while items.get() != END:
        pass
    return GOES_ON


def killed_while_it_waits_for_room(kit: Kit) -> Iterator[str]:
    """Of a queue with a limit: all that it has put is there, and there is room for as many as before."""
    items = kit.make("Queue", ROOM)
    for mark in kit.rounds():
        writer = kit.begin(children.put_for_ever, items, mark, 10, 2 * ROOM)
        assert writer.pid is not None
        kit.asleep(writer.pid)
        kit.strike(writer)
        taken = [items.get() for _ in range(ROOM)]
        for number in range(ROOM):  # who comes next
            items.put(number)
        there = [items.get() for _ in range(ROOM)] == list(range(ROOM))
        yield whole(taken, [0] * (mark + 1), 10) if there else "an item is missing or torn"


def joined_before_read(kind: str) -> Callable[[Kit], Iterator[str]]:
    def run(kit: Kit) -> Iterator[str]:
        items = kit.make(kind)
        for _ in kit.rounds():
            writer = kit.start(children.put_all, items, UNSENT, SIZE)
            kit.mark()
            writer.join()
            found = [items.get()[0] for _ in range(UNSENT)]
            yield "joined, nothing is lost" if found == list(range(UNSENT)) else "items are lost"

    return run


def killed_after_it_has_put(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        items = kit.make("Queue")
        writer = kit.begin(children.put_all_and_wait, items, UNSENT, SIZE)
        kit.strike(writer)
        count = 0
        try:
            while count < UNSENT:
                items.get(timeout=EXPIRED)
                count += 1
        except queue.Empty:
            yield "items are lost"
        else:
            yield "nothing is lost"


def killed_before_it_is_done(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        items = kit.make("JoinableQueue")
        items.put(0)
        kit.strike(kit.begin(children.get_one, items))
        items.join()
        yield "join returns"


def another_is_done(kit: Kit) -> Iterator[str]:
    items = kit.make("JoinableQueue")
    for _ in kit.rounds():
        reader = kit.begin(children.get_for_ever, items)
        assert reader.pid is not None
        kit.asleep(reader.pid)
        kit.strike(reader)
        for number in range(100):
            items.put(number)
        other = kit.start(children.get_and_be_done, items, 100)
        items.join()
        other.join()
        yield "join returns"


# ---- pipes -----------------------------------------------------------------------------------------------------------


def sender_killed(size: int, *, aimed: bool) -> Callable[[Kit], Iterator[str]]:
    """A large message waits for room in the middle; small ones cross until the blow."""

    def run(kit: Kit) -> Iterator[str]:
        for _ in kit.rounds():
            here, there = kit.make("Pipe", False)
            sender = kit.begin(children.send_for_ever, there, size)
            there.close()
            assert sender.pid is not None
            if aimed:
                kit.asleep(sender.pid)
            else:
                assert len(here.recv_bytes()) == size
                kit.moment()
            kit.strike(sender)
            yield ends(here.recv_bytes)
            here.close()

    return run


def receiver_dies_in_the_middle(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        there, here = kit.make("Pipe", False)
        receiver = kit.begin(children.die_in_the_middle_of_receiving, there)
        there.close()
        body, outcome = bytes(LARGE), ""
        outcome = ends(lambda: here.send_bytes(body))  # noqa: B023 - it is called in this very round
        kit.mark(float(kit.news.line()))
        receiver.join()
        here.close()
        yield outcome


def receiver_killed(kit: Kit) -> Iterator[str]:
    for _ in kit.rounds():
        here, there = kit.make("Pipe")
        receiver = kit.begin(children.receive_for_ever, there)
        there.close()
        outcomes: list[str] = []
        body = bytes(kit.pick.choice([100, 100_000]))
        sender = threading.Thread(target=lambda: outcomes.append(ends(lambda: here.send_bytes(body))))  # noqa: B023 - joined in this very round
        sender.start()
        kit.moment()
        kit.strike(receiver)
        sender.join()
        here.close()
        yield outcomes[0]


def ends(work: Callable[[], object]) -> str:
    """What an operation that is repeated ends with."""
    try:
        while True:
            work()
    except (EOFError, OSError) as error:
        return type(error).__name__


def faults() -> Iterator[Fault]:
    for kind in KINDS:
        yield Fault(kind, "writer killed while small items cross", writer_killed(kind, 10, 10**9), (GOES_ON,))
        yield Fault(kind, "writer killed in the middle of items of 1 MB", writer_killed(kind, 10**6, 50), (GOES_ON,))
        yield Fault(kind, "reader killed while items cross", reader_killed(kind), (GOES_ON,))
        yield Fault(kind, "reader killed while it waits", waiting_reader_killed(kind), (GOES_ON,), 5)
        yield Fault(
            kind,
            f"writer of {UNSENT:,} items joined before they are read",
            joined_before_read(kind),
            ("joined, nothing is lost",),
            5,
        )
    lost = f"writer of {UNSENT:,} items killed when `put` has returned"
    yield Fault("Queue", lost, killed_after_it_has_put, ("nothing is lost",), 10)
    room = f"writer killed while it waits for room, of {ROOM} items"
    yield Fault("Queue", room, killed_while_it_waits_for_room, (GOES_ON,), 5)
    yield Fault("JoinableQueue", "reader killed, another is done: `join`", another_is_done, ("join returns",), 5)
    undone = "reader killed between `get` and `task_done`: `join`"
    yield Fault("JoinableQueue", undone, killed_before_it_is_done, (), 1, waits=UNDONE)
    both, broken = ("EOFError", "OSError"), ("BrokenPipeError", "ConnectionResetError")
    yield Fault("Pipe", "sender killed while small messages cross", sender_killed(100, aimed=False), both)
    yield Fault("Pipe", "sender killed in the middle of 10 MB", sender_killed(LARGE, aimed=True), both, 5)
    yield Fault("Pipe", "receiver killed while messages cross", receiver_killed, broken)
    yield Fault("Pipe", "receiver dies in the middle of 10 MB", receiver_dies_in_the_middle, broken, 5)


FAULTS = tuple(faults())
