"""One client: ``python -m benchmarks.rpc.clients PEER PORT`` connects, prints "ready", and measures what it is told to.

A line of stdin has a row's name and a number; it is answered with a line that has the seconds.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

HOST = "127.0.0.1"
LARGE = 64 << 20
# Calls that are under way together. Some peers take 40 ms for each burst, as each side waits for the other (Nagle), and
# others slow down with very many: the number is one that a program might have, and the same however long is measured.
TOGETHER = 1000
Measure = Callable[[int], float]


def timed(work: Callable[[int], Any]) -> Measure:
    def measure(n: int) -> float:
        begin = time.perf_counter()
        work(n)
        return time.perf_counter() - begin

    return measure


def bursts(n: int) -> list[range]:
    """`n` numbers, so many together."""
    return [range(begin, min(n, begin + TOGETHER)) for begin in range(0, n, TOGETHER)]


def of_calls(call: Callable[..., Any], submit: Callable[[int], Callable[[], Any]] | None) -> dict[str, Measure]:
    """The rows of a client with blocking calls; `submit` sends one and gives what waits for it."""

    def sequential(n: int) -> None:
        for i in range(n):
            assert call("double", i) == 2 * i

    def pipelined(n: int) -> None:
        assert submit is not None
        for burst in bursts(n):
            waiting = [submit(i) for i in burst]
            assert [wait() for wait in waiting] == [2 * i for i in burst]

    def back(size: int) -> None:
        assert len(call("echo", b"x" * size)) == size

    rows: dict[str, Measure] = {"sequential": timed(sequential), "back": timed(back)}
    if submit is not None:
        rows["pipelined"] = timed(pipelined)
    return rows


def ours(port: int) -> dict[str, Measure]:
    from elsewhere.rpc import connect

    client = connect(f"tcp://{HOST}:{port}", timeout=60)
    client.call("double", 1)
    return of_calls(client.call, lambda i: client.submit("double", i).result)


def dropin(port: int) -> dict[str, Measure]:
    import elsewhere.msgpackrpc

    elsewhere.msgpackrpc.install()
    return original(port)


def original(port: int) -> dict[str, Measure]:
    """Also runs on ours."""
    import msgpackrpc

    client = msgpackrpc.Client(msgpackrpc.Address(HOST, port), timeout=60)
    return of_calls(client.call, lambda i: client.call_async("double", i).get)


def bare(port: int) -> dict[str, Measure]:
    import msgpack

    sock = socket.create_connection((HOST, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    packer, unpacker = msgpack.Packer(), msgpack.Unpacker(max_buffer_size=LARGE)

    def call(method: str, arg: Any) -> Any:
        sock.sendall(packer.pack([0, 1, method, [arg]]))
        while True:
            unpacker.feed(sock.recv(65536))
            for message in unpacker:
                return message[3]

    return of_calls(call, None)


def floor(port: int) -> dict[str, Measure]:
    sock = socket.create_connection((HOST, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = b"\x94\x00\xcd\x01\x00\xa6double\x91\xcd\x01\x00"  # [0, 256, "double", [256]]
    stream = sock.makefile("rb")

    def sequential(n: int) -> None:
        data = len(request).to_bytes(4, "big") + request
        for _ in range(n):
            sock.sendall(data)
            sock.recv(4096)

    def back(size: int) -> None:
        data = b"x" * size
        sock.sendall(len(data).to_bytes(4, "big") + data)
        assert len(stream.read(size)) == size

    return {"sequential": timed(sequential), "back": timed(back)}


def rpyc(port: int) -> dict[str, Measure]:
    from rpyc import async_, connect

    root = connect(HOST, port, config={"sync_request_timeout": 60}).root
    double = async_(root.double)

    def submit(i: int) -> Callable[[], Any]:
        result = double(i)
        return lambda: result.value

    return of_calls(lambda method, arg: getattr(root, method)(arg), submit)


def pyro5(port: int) -> dict[str, Measure]:
    import Pyro5.api

    Pyro5.api.config.SERIALIZER = "msgpack"
    proxy = Pyro5.api.Proxy(f"PYRO:work@{HOST}:{port}")
    proxy._pyroBind()
    return of_calls(lambda method, arg: getattr(proxy, method)(arg), None)


def grpc(port: int) -> dict[str, Measure]:
    import msgpack
    from grpc import insecure_channel

    sizes = [("grpc.max_receive_message_length", LARGE), ("grpc.max_send_message_length", LARGE)]
    channel = insecure_channel(f"{HOST}:{port}", options=sizes)
    methods = {
        name: channel.unary_unary(
            f"/work/{name}", request_serializer=msgpack.packb, response_deserializer=msgpack.unpackb
        )
        for name in ("double", "echo")
    }
    return of_calls(lambda method, arg: methods[method]([arg]), lambda i: methods["double"].future([i]).result)


def aio(port: int, fast: bool = False) -> dict[str, Measure]:
    import asyncio

    import aio_msgpack_rpc

    if fast:
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    async def connect() -> Any:
        return aio_msgpack_rpc.Client(*await asyncio.open_connection(HOST, port), response_timeout=60, loop=loop)

    client = loop.run_until_complete(connect())

    async def sequential(n: int) -> None:
        for i in range(n):
            assert await client.call("double", i) == 2 * i

    async def pipelined(n: int) -> None:
        for burst in bursts(n):
            found = await asyncio.gather(*(client.call("double", i) for i in burst))
            assert found == [2 * i for i in burst]

    async def back(size: int) -> None:
        assert len(await client.call("echo", b"x" * size)) == size

    return {
        name: timed(lambda n, work=work: loop.run_until_complete(work(n)))  # type: ignore[misc]  # bound now
        for name, work in (("sequential", sequential), ("pipelined", pipelined), ("back", back))
    }


CLIENTS: dict[str, Callable[[int], dict[str, Measure]]] = {
    "ours": ours,
    "dropin": dropin,
    "original": original,
    "bare": bare,
    "floor": floor,
    "rpyc": rpyc,
    "pyro5": pyro5,
    "grpc": grpc,
    "aio": aio,
    "aio_uvloop": partial(aio, fast=True),
}


def main() -> None:
    peer, port = sys.argv[1:]
    rows = CLIENTS[peer](int(port))
    print("ready", flush=True)
    for line in sys.stdin:
        name, n = json.loads(line)
        print(json.dumps(rows[name](n) if name in rows else None), flush=True)


if __name__ == "__main__":
    main()
