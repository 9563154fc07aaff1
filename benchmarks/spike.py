"""A spike: the channel, durable results and exact blame, beside multiprocessing.Pool in calls/s.

    python benchmarks/spike.py [calls]

    parent ── runs of calls, one frame each ──────────> worker
       │                                                 │ writes the ordinal of the call it starts,
       │ <── doorbell: 8 bytes, every 0.2 ms ──────────  │ then its result, into a page both map
       └──── one memfd page per worker: status words and a ring of results

What it is to show, before the scheduler is written:

1. *Channel*: one socketpair per worker, no lock, nothing shared between workers.
2. *Durable results*: a result is in memory that the parent holds before the next call starts, so a worker
   killed right after it loses nothing that was finished. The socket is only the doorbell.
3. *Exact blame*: `STARTED` counts the calls begun, the ring counts those finished; they differ by the guilty call.
4. *Decisions per run*: the parent's work per call is a slot in a list, not an object.

Results that are plain atoms (int, str, float, None...) are appended to an open segment as bare pickle opcodes,
each pickled alone, so that the parent loads a whole segment with one call: MARK, the items, LIST, STOP.
"""

import contextlib
import mmap
import multiprocessing
import os
import pickle
import select
import signal
import socket
import struct
import sys
import time
from itertools import islice

RING, HEAD = 1 << 18, 64  # bytes of ring behind 64 bytes of status words
STARTED, SEGMENT, TAIL = 0, 1, 2  # words the worker writes
RUN, FLUSH_NS, WORKERS = 64, 200_000, 2
OPEN, CLOSE = b"\x80\x05(", b"l."


def inc(number: int) -> int:
    return number + 1


def die_at(number: int) -> int:
    if number == 2500:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


# ---- the worker -----------------------------------------------------------------------------------------------


def work(sock: socket.socket, page: mmap.mmap, function, clock=time.monotonic_ns, dumps=pickle.dumps) -> None:
    """Serve runs until end-of-file; `page` is shared with the parent."""
    view = memoryview(page)
    words, ring = view[:HEAD].cast("Q"), view[HEAD:]
    tail = start = started = count = 0
    last = clock()
    buffer = bytearray()
    while True:
        data = sock.recv(1 << 16)
        if not data:
            return
        buffer += data
        while len(buffer) >= 4 and len(buffer) >= 4 + (size := struct.unpack_from("I", buffer)[0]):
            run = pickle.loads(memoryview(buffer)[4 : 4 + size])
            buffer = buffer[4 + size :]
            for item in run:
                started += 1
                words[STARTED] = started
                body = dumps(function(item), 5)[2:-1]
                end = tail + len(body)
                if end > RING:  # the spike's parent always keeps up, so wrapping is enough
                    words[TAIL] = sock.send(struct.pack("QQ", start, words[SEGMENT]))
                    start, tail, count, end = 0, 0, 0, len(body)
                ring[tail:end] = body
                tail = end
                count += 1
                words[SEGMENT] = count << 32 | (tail - start)  # one aligned store publishes count and length
                if (now := clock()) - last > FLUSH_NS:
                    sock.send(struct.pack("QQ", start, words[SEGMENT]))
                    start, count, last = tail, 0, now
                    words[TAIL] = tail
                    words[SEGMENT] = 0
        if count:
            sock.send(struct.pack("QQ", start, words[SEGMENT]))
            start, count, last = tail, 0, clock()
            words[TAIL] = tail
            words[SEGMENT] = 0


# ---- the parent -----------------------------------------------------------------------------------------------


class Worker:
    def __init__(self, function) -> None:
        fd = os.memfd_create("spike")
        os.ftruncate(fd, HEAD + RING)
        self.page = mmap.mmap(fd, HEAD + RING)
        os.close(fd)
        self.words = memoryview(self.page)[:HEAD].cast("Q")
        self.ring = memoryview(self.page)[HEAD:]
        self.sock, child = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.sock.close()
                work(child, self.page, function)
            finally:
                os._exit(0)
        child.close()
        self.held: list[tuple[int, int]] = []  # runs handed over, oldest first, as (first id, past the last)
        self.done = 0

    def send(self, lo: int, items: list) -> None:
        body = pickle.dumps(items, 5)
        with contextlib.suppress(BrokenPipeError):  # dead: its end-of-file says so in a moment
            self.sock.sendall(struct.pack("I", len(body)) + body)
        self.held.append((lo, lo + len(items)))

    def deliver(self, start: int, segment: int, results: list) -> int:
        """Put one segment's values into their slots; the calls are answered in the order they were handed over."""
        count, size = segment >> 32, segment & 0xFFFFFFFF
        values = pickle.loads(OPEN + self.ring[start : start + size].tobytes() + CLOSE)
        self.done += count
        while values:
            lo, hi = self.held[0]
            taken = values[: hi - lo]
            results[lo : lo + len(taken)] = taken
            del values[: hi - lo]
            self.held[0] = (lo + len(taken), hi)
            if self.held[0][0] == hi:
                del self.held[0]
        return count


def spike(function, total: int) -> tuple[list, list[int]]:
    """Run `function` over range(total); returns the results and the ids of the calls that were lost."""
    workers = {w.sock.fileno(): w for w in [Worker(function) for _ in range(WORKERS)]}
    poller = select.epoll()
    for fd in workers:
        poller.register(fd, select.EPOLLIN)
    results, lost, again = [None] * total, [], []
    items, sent, done = iter(range(total)), 0, 0

    def feed(worker: Worker) -> None:
        nonlocal sent
        while sum(hi - lo for lo, hi in worker.held) < 4 * RUN:
            if again:
                lo, hi = again.pop()
                worker.send(lo, list(range(lo, hi)))
            elif run := list(islice(items, RUN)):
                worker.send(sent, run)
                sent += len(run)
            else:
                return

    for worker in workers.values():
        feed(worker)
    while done + len(lost) < total:
        for fd, _ in poller.poll():
            worker = workers[fd]
            try:
                bells = worker.sock.recv(1 << 14)
            except ConnectionResetError:
                bells = b""
            for start, segment in struct.iter_unpack("QQ", bells):
                done += worker.deliver(start, segment, results)
            if not bells:  # dead: what its page says is finished is kept, the call it had begun is to blame
                os.waitpid(worker.pid, 0)
                if worker.words[SEGMENT]:
                    done += worker.deliver(worker.words[TAIL], worker.words[SEGMENT], results)
                if worker.words[STARTED] > worker.done:
                    lo, hi = worker.held.pop(0)
                    lost.append(lo)
                    worker.held[:0] = [(lo + 1, hi)] if lo + 1 < hi else []
                again.extend(worker.held)
                del workers[fd]
                poller.unregister(fd)  # a sibling's copy would keep the registration alive
                worker = Worker(function)
                workers[worker.sock.fileno()] = worker
                poller.register(worker.sock.fileno(), select.EPOLLIN)
            feed(worker)
    for worker in workers.values():  # all first: a later fork holds a copy of an earlier one's socket, so the real
        worker.sock.close()  # thing forks from a server that never sees them
    for worker in workers.values():
        os.waitpid(worker.pid, 0)
    return results, lost


def main() -> None:
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    begin = time.perf_counter()
    results, lost = spike(inc, total)
    ours = total / (time.perf_counter() - begin)
    assert results == list(range(1, total + 1))
    assert not lost
    print(f"spike, each call tracked alone      {ours:10,.0f} calls/s   1.0 x")
    with multiprocessing.get_context("forkserver").Pool(WORKERS) as pool:
        pool.map(inc, range(100))
        for name, count, run in [
            ("Pool.imap_unordered, chunksize 1", total // 10, lambda n: list(pool.imap_unordered(inc, range(n)))),
            ("Pool.map, automatic chunks", total, lambda n: pool.map(inc, range(n))),
        ]:
            begin = time.perf_counter()
            run(count)
            rate = count / (time.perf_counter() - begin)
            print(f"{name:<35} {rate:10,.0f} calls/s  {rate / ours:4.2f} x")
    results, lost = spike(die_at, 5000)
    assert lost == [2500]
    assert sum(r is None for r in results) == 1
    print(f"5,000 calls, number 2,500 kills its worker: lost {lost}, every other result kept")


if __name__ == "__main__":
    main()
