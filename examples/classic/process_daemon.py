"""A daemon ends with the program, another child is waited for. See docs/classic.md."""

import time
from multiprocessing import Barrier, Process  # or: from elsewhere import Barrier, Process


def work(name, seconds, begun):
    print(f"{name} begins")
    begun.wait()
    time.sleep(seconds)
    print(f"{name} ends")


if __name__ == "__main__":
    begun = Barrier(3)
    Process(target=work, args=("the daemon", 3600, begun), daemon=True).start()
    Process(target=work, args=("the other child", 1, begun)).start()
    begun.wait()  # both run
    print("the program has no more to do")
