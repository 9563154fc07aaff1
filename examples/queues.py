"""Some processes take jobs from one queue and put results into another. See docs/examples.md."""

from elsewhere import Process, Queue

jobs, results = Queue(), Queue()


def work():
    while (number := jobs.get()) is not None:  # None: there is no more
        results.put((number, number**2))


workers = [Process(target=work) for _ in range(3)]
for worker in workers:
    worker.start()
for number in range(10):
    jobs.put(number)
for _ in workers:
    jobs.put(None)

print(sorted(results.get() for _ in range(10)))
for worker in workers:
    worker.join()
