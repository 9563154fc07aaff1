"""One process writes to a queue, another reads from it. See docs/classic.md."""

from multiprocessing import Process, Queue  # or: from elsewhere import Process, Queue


def write(queue):
    for letter in "ABC":
        queue.put(letter)
    queue.put(None)  # there is no more


def read(queue):
    while (letter := queue.get()) is not None:
        print(f"got {letter} from the queue")


if __name__ == "__main__":
    queue = Queue()
    writer = Process(target=write, args=(queue,))
    reader = Process(target=read, args=(queue,))
    writer.start()
    reader.start()
    writer.join()
    reader.join()
