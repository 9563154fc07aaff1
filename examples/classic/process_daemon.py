"""A daemon ends with the program, another child is waited for. See docs/classic.md."""

import time
from multiprocessing import Event, Process  # or: from elsewhere import Event, Process


def work(name, seconds, begun):
    print(f"{name} begins")
    begun.set()
    time.sleep(seconds)
    print(f"{name} ends")


if __name__ == "__main__":
    for name, seconds, daemon in (("the daemon", 3600, True), ("the other child", 1, False)):
        begun = Event()
        Process(target=work, args=(name, seconds, begun), daemon=daemon).start()
        begun.wait()
    print("the program has no more to do")
