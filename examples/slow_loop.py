"""A loop that was slow, on every core: no main guard, no import by name, no chunk size."""

import elsewhere


def divisors(number: int) -> int:
    return sum(number % candidate == 0 for candidate in range(1, number + 1))


numbers = range(1_000_000, 1_000_040)
for number, count in zip(numbers, elsewhere.map(divisors, numbers, progress=True), strict=True):
    print(number, "has", count, "divisors")

print("squares:", elsewhere.map(lambda number: number**2, range(10)))
