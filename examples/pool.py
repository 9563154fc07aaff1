"""A pool of workers, one for each core: multiprocessing.Pool's methods, and futures. See docs/examples.md."""

from elsewhere import Pool


def divisors(number):
    return sum(number % candidate == 0 for candidate in range(1, number + 1))


with Pool() as pool:
    print(pool.map(divisors, range(100_000, 100_005)))  # a list, in order

    for count in pool.imap(divisors, range(200_000, 200_005)):  # one after the other, as they are asked for
        print(count)

    future = pool.submit(divisors, 720_720)  # does not wait
    print("720720 has", future.result(), "divisors")
