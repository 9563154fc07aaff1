"""An array and a number in shared memory, changed in a child. See docs/classic.md."""

from multiprocessing import Array, Process, Value  # or: from elsewhere import Array, Process, Value


def change(number, numbers):
    number.value = 3.25
    for index in range(len(numbers)):
        numbers[index] = -numbers[index]


if __name__ == "__main__":
    number = Value("d", 0.0)
    numbers = Array("i", range(10))
    child = Process(target=change, args=(number, numbers))
    child.start()
    child.join()
    print(number.value)
    print(numbers[:])
