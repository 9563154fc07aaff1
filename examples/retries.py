"""A call that fails is made again, here one whose process was killed. See docs/examples.md."""

import os
import random
import signal

from elsewhere import Pool, Retry, WorkerLost


def fragile(number):
    if random.random() < 0.2:
        os.kill(os.getpid(), signal.SIGKILL)  # what the kernel does when memory runs out
    return number * number


with Pool(retry=Retry(20, on=WorkerLost)) as pool:
    print(pool.map(fragile, range(20)))
    print(pool.statistics().lost_workers, "processes were lost on the way")
