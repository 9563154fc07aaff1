"""A script without a main guard, whose workers start afresh. See docs/rules.md."""

from elsewhere import get_context


def double(number):
    return 2 * number


print("the script runs")
with get_context("spawn").Pool(2) as pool:
    print(pool.map(double, [1, 2, 3]))
