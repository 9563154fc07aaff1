"""Sixty answers, each 50 ms away: by coroutines on one loop, by threads, by processes. See docs/rules.md."""

import asyncio
import time

from elsewhere import Pool, net


async def answer(reader, writer):
    """What the far side does: it thinks for 50 ms."""
    writer.write(await reader.readline())
    await asyncio.sleep(0.05)
    writer.write(b"done\n")


async def ask_in_a_coroutine(port):
    reader, writer = await asyncio.open_connection("localhost", port)
    writer.write(b"hello\n")
    answer = await reader.read()
    writer.close()
    return answer


def ask(port):
    with net.connect(f"tcp://localhost:{port}") as connection:
        connection.sendall(b"hello\n")
        return connection.recv_until(b"\n") + connection.recv_until(b"\n")


with net.Server(answer, "tcp://localhost:0") as server:
    port = server.addresses[0].port
    for where, function in (("loop", ask_in_a_coroutine), ("threads", ask), ("processes", ask)):
        with Pool(where=where) as pool:
            pool.map(function, [port])  # so that it is ready
            began = time.perf_counter()
            answers = pool.map(function, [port] * 60)
            assert answers == [b"hello\ndone\n"] * 60
            workers = pool.statistics().size
            print(f"{where:9} {time.perf_counter() - began:.2f} s, {workers} at a time")
