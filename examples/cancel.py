"""A call that runs is cancelled: its `finally` runs, and its worker takes the next. See docs/examples.md."""

import time

from elsewhere import Event, Pool

started = Event()


def work():
    try:
        started.set()
        time.sleep(3600)
    finally:
        print("tidied up")


with Pool(1) as pool:
    future = pool.submit(work)
    started.wait()
    print("cancelled:", future.cancel())
    print("the next one:", pool.submit(abs, -1).result())
