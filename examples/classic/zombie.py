"""A child that has ended and was not joined is a zombie. See docs/classic.md."""

import time
from multiprocessing import Process  # or: from elsewhere import Process


def state(pid):
    """The letter that Linux has for it: R runs, S sleeps, Z is a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"


if __name__ == "__main__":
    child = Process(target=print, args=("the child has nothing to do",))
    child.start()
    while state(child.pid) not in ("Z", "gone"):
        time.sleep(0.01)
    time.sleep(1)  # it has ended a second ago
    print("ended, but not joined:", state(child.pid))
    child.join()
    print("joined:", state(child.pid))
    print("exit code:", child.exitcode)
