"""A manager's dict and list, changed in a child. See docs/classic.md."""

from multiprocessing import Manager, Process  # or: from elsewhere import Manager, Process


def change(names, numbers):
    names["one"] = 1
    names[2] = "two"
    numbers.reverse()


if __name__ == "__main__":
    with Manager() as manager:
        names = manager.dict()
        numbers = manager.list(range(5))
        child = Process(target=change, args=(names, numbers))
        child.start()
        child.join()
        print(names)
        print(numbers)
