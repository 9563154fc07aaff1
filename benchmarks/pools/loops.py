"""Two bare loops: what Python can do over pipes, without futures, errors, deadlines or a pool around it.

    python benchmarks/pools/loops.py [calls]

`Plain` sends every call as one pickle and keeps 64 of them in flight at each of two workers. `Runs` sends runs of 64
calls, still pickled one by one, has each worker write the number of the call it begins into shared memory, and flushes
results every 0.2 ms: about the least that a pool must do which tracks each call alone and knows whom to blame.

Both call a function that the workers have by fork, keep each result under its number, and end with all of them checked.
They are the yardstick of `make bench`, measured in the same run as the pools. Calls and results must be small: what is
in flight has to fit into a pipe, since both ends block.
"""

from __future__ import annotations

import mmap
import os
import pickle
import select
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Self

WORKERS = 2
IN_FLIGHT = 64  # calls at each worker
RUN = 64  # calls sent together by `Runs`
AHEAD = 4  # runs at each worker: one being run, the others on the way
FLUSH_NS = 200_000
PIPE = 1 << 16  # bytes a pipe holds, and so the most one read gives
HEAD = struct.Struct("<I")


class Source:
    """The reading end of a pipe: whole frames, as many as one read brings."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.rest = b""

    def frames(self) -> list[bytes]:
        """What has come; an empty list at end-of-file."""
        found: list[bytes] = []
        while not found:
            data = os.read(self.fd, PIPE)
            if not data:
                return []
            data = self.rest + data
            at, end = 0, len(data)
            while at + 4 <= end:
                (size,) = HEAD.unpack_from(data, at)
                if at + 4 + size > end:
                    break
                found.append(data[at + 4 : at + 4 + size])
                at += 4 + size
            self.rest = data[at:]
        return found


def write(fd: int, data: bytes | bytearray) -> None:
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            done += os.write(fd, view[done:])


def send(fd: int, bodies: list[bytes]) -> None:
    body = pickle.dumps(bodies, 5)
    write(fd, HEAD.pack(len(body)) + body)


class Loop:
    """Two forked workers, a pipe to each and a pipe back."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.workers: dict[int, int] = {}  # the end we read from: the end we write to
        self.pids: list[int] = []
        self.words: dict[int, memoryview] = {}
        for _ in range(WORKERS):
            page = mmap.mmap(-1, mmap.PAGESIZE)
            words = memoryview(page).cast("Q")
            (there, ours), (back, theirs) = os.pipe(), os.pipe()
            pid = os.fork()
            if pid == 0:
                try:
                    for fd in (ours, back, *self.workers, *self.workers.values()):
                        os.close(fd)
                    self.serve(function, there, theirs, words)
                finally:
                    os._exit(0)
            os.close(there)
            os.close(theirs)
            self.pids.append(pid)
            self.workers[back], self.words[back] = ours, words

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        for back, ours in self.workers.items():
            os.close(ours)
            os.close(back)
        for pid in self.pids:
            os.waitpid(pid, 0)

    @staticmethod
    def found(frames: Callable[[], list[bytes]]) -> list[bytes]:
        if got := frames():
            return got
        raise ChildProcessError("a worker of the bare loop has died")

    def serve(self, function: Callable[[Any], Any], source: int, sink: int, words: memoryview) -> None:
        raise NotImplementedError

    def __call__(self, items: list[Any]) -> list[Any]:
        raise NotImplementedError


class Plain(Loop):
    """One pickle a call, 64 in flight at each worker; what has come in one read is answered by one write."""

    def serve(self, function: Callable[[Any], Any], source: int, sink: int, words: memoryview) -> None:
        dumps, loads, head, frames = pickle.dumps, pickle.loads, HEAD.pack, Source(source).frames
        while found := frames():
            out = bytearray()
            for part in found:
                number, item = loads(part)
                body = dumps((number, function(item)), 5)
                out += head(len(body))
                out += body
            write(sink, out)

    def __call__(self, items: list[Any]) -> list[Any]:
        dumps, loads, head = pickle.dumps, pickle.loads, HEAD.pack
        results: list[Any] = [None] * len(items)
        calls = iter(enumerate(items))
        sources = {back: Source(back).frames for back in self.workers}
        poller = select.poll()

        def send(back: int, count: int) -> None:
            out = bytearray()
            for call in islice(calls, count):
                body = dumps(call, 5)
                out += head(len(body))
                out += body
            if out:
                write(self.workers[back], out)

        for back in self.workers:
            poller.register(back, select.POLLIN)
            send(back, IN_FLIGHT)
        left = len(items)
        while left:
            for back, _ in poller.poll():
                found = self.found(sources[back])
                for part in found:
                    number, value = loads(part)
                    results[number] = value
                left -= len(found)
                send(back, len(found))
        return results


class Runs(Loop):
    """Runs of 64, a frame each: a list of pickles, one for each call. Results go back likewise, as they are flushed."""

    def serve(self, function: Callable[[Any], Any], source: int, sink: int, words: memoryview) -> None:
        dumps, loads, clock, frames = pickle.dumps, pickle.loads, time.monotonic_ns, Source(source).frames
        out: list[bytes] = []
        number = 0
        last = clock()
        while found := frames():
            for part in found:
                for body in loads(part):
                    number += 1
                    words[0] = number  # begun; that it is finished, its answer says
                    out.append(dumps(function(loads(body)), 5))
                    if (now := clock()) - last > FLUSH_NS:
                        send(sink, out)
                        out, last = [], now
            if out:
                send(sink, out)
                out, last = [], clock()

    def __call__(self, items: list[Any]) -> list[Any]:
        dumps, loads = pickle.dumps, pickle.loads
        results: list[Any] = [None] * len(items)
        lows = iter(range(0, len(items), RUN))
        sources = {back: Source(back).frames for back in self.workers}
        waiting: dict[int, deque[int]] = {back: deque() for back in self.workers}  # runs yet to be answered, in order
        answered = dict.fromkeys(self.workers, 0)  # calls of the oldest of them that have been
        poller = select.poll()

        def feed(back: int) -> None:
            while len(waiting[back]) < AHEAD and (low := next(lows, None)) is not None:
                send(self.workers[back], [dumps(item, 5) for item in items[low : low + RUN]])
                waiting[back].append(low)

        for back in self.workers:
            poller.register(back, select.POLLIN)
            feed(back)
        left = len(items)
        while left:
            for back, _ in poller.poll():
                for part in self.found(sources[back]):
                    values = [loads(body) for body in loads(part)]
                    left -= len(values)
                    while values:
                        low, done = waiting[back][0], answered[back]
                        size = min(RUN, len(items) - low)
                        taken = values[: size - done]
                        results[low + done : low + done + len(taken)] = taken
                        del values[: size - done]
                        answered[back] = done + len(taken)
                        if answered[back] == size:
                            waiting[back].popleft()
                            answered[back] = 0
                feed(back)
        return results


def main() -> None:
    import work

    total = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    for kind in (Plain, Runs):
        with kind(work.inc) as loop:
            for _ in range(4):
                begin = time.perf_counter()
                results = loop(list(range(total)))
                took = time.perf_counter() - begin
                assert results == list(range(1, total + 1))
                print(f"{kind.__name__:<6} {total / took:10,.0f} calls/s")


if __name__ == "__main__":
    main()
