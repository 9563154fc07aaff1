"""Two processes count to 100,000 together: under a lock, or each by itself. See docs/rules.md."""

import time

from elsewhere import Process, Queue, Value

EACH = 50_000


def under_the_lock(total):
    for _ in range(EACH):
        with total.get_lock():
            total.value += 1


def by_itself(queue):
    count = 0
    for _ in range(EACH):
        count += 1
    queue.put(count)


def seconds(target, shared):
    began = time.perf_counter()
    processes = [Process(target=target, args=(shared,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return time.perf_counter() - began


total, queue = Value("q", 0), Queue()
taken = seconds(under_the_lock, total)
print(f"under a lock: {total.value:,} in {taken:.3f} s")
taken = seconds(by_itself, queue)
print(f"by a queue:   {queue.get() + queue.get():,} in {taken:.3f} s")
