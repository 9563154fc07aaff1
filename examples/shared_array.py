"""Numbers that several processes change: an Array, and a Value with its lock. See docs/examples.md."""

from elsewhere import Array, Process, Value

numbers = Array("i", range(10))
changes = Value("i", 0)


def negate(start, stop):
    for index in range(start, stop):
        numbers[index] = -numbers[index]
        with changes.get_lock():  # reading, adding and writing as one step
            changes.value += 1


halves = [Process(target=negate, args=(0, 5)), Process(target=negate, args=(5, 10))]
for process in halves:
    process.start()
for process in halves:
    process.join()
print(numbers[:], "after", changes.value, "changes")
