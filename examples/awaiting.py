"""The same futures in a coroutine: every call can be awaited, in any event loop. See docs/examples.md."""

import asyncio

from elsewhere import Pool


def divisors(number):
    return sum(number % candidate == 0 for candidate in range(1, number + 1))


async def main():
    with Pool() as pool:
        print(await pool.submit(divisors, 720_720))
        print(await asyncio.gather(*(pool.submit(divisors, number) for number in range(100_000, 100_005))))
        async for count in pool.imap(divisors, range(200_000, 200_005)):
            print(count)


asyncio.run(main())
