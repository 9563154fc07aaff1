"""One server: ``python -m benchmarks.rpc.servers PEER [OPTIONS as JSON]`` prints its port; it ends when stdin does."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.rpc.work import Work, double, echo, spin

HOST = "127.0.0.1"
LARGE = 64 << 20  # bytes of a message, for those whose limit is lower
ANSWER = b"\x94\x01\xcd\x01\x00\xc0\xcd\x02\x00"  # [1, 256, nil, 512]


def ready(port: int) -> None:
    """Print the port, wait for the end of stdin, and be gone: no peer's way of ending is measured."""
    print(port, flush=True)
    sys.stdin.read()
    os._exit(0)


def ours(where: str = "threads", workers: int = 1, pool: bool = False) -> None:
    from elsewhere.rpc import Service

    service = Service(name="work")
    service.register(double, where=where)
    service.register(echo, where=where)
    service.register(spin, where="processes" if pool else where)
    running = service.start(f"tcp://{HOST}:0", workers=workers)
    ready(int(running.addresses[0].rpartition(":")[2]))


def dropin() -> None:
    import elsewhere.msgpackrpc

    elsewhere.msgpackrpc.install()
    original()


def original() -> None:
    """Also runs on ours."""
    import msgpackrpc

    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    server = msgpackrpc.Server(Work(), unpack_encoding="utf-8")
    server.listen(msgpackrpc.Address(HOST, port))
    threading.Thread(target=ready, args=(port,), daemon=True).start()
    server.start()


def _each_connection(serve: Callable[[socket.socket], None]) -> None:
    listener = socket.create_server((HOST, 0), backlog=1024)
    threading.Thread(target=ready, args=(listener.getsockname()[1],), daemon=True).start()
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


def bare() -> None:
    """The least that is a server: a thread for each connection, the codec, a dict of functions."""
    import msgpack

    methods: dict[str, Callable[..., Any]] = {"double": double, "echo": echo, "spin": spin}

    def serve(sock: socket.socket) -> None:
        unpacker, packer = msgpack.Unpacker(max_buffer_size=LARGE), msgpack.Packer()
        while data := sock.recv(65536):
            unpacker.feed(data)
            for _, msgid, method, params in unpacker:
                sock.sendall(packer.pack([1, msgid, None, methods[method](*params)]))

    _each_connection(serve)


def floor() -> None:
    """No codec and no dispatch: the bytes of an answer for the bytes of a request, whose length goes before it."""

    def serve(sock: socket.socket) -> None:
        with sock.makefile("rb") as stream:
            while head := stream.read(4):
                data = stream.read(int.from_bytes(head, "big"))
                sock.sendall(data if len(data) > 100 else ANSWER)

    _each_connection(serve)


def rpyc() -> None:
    from rpyc import Service
    from rpyc.utils.server import ThreadedServer

    class Exposed(Service):
        exposed_double = staticmethod(double)
        exposed_echo = staticmethod(echo)
        exposed_spin = staticmethod(spin)

    server = ThreadedServer(Exposed, hostname=HOST, port=0)
    threading.Thread(target=ready, args=(server.port,), daemon=True).start()
    server.start()


def pyro5() -> None:
    import Pyro5.api

    daemon = Pyro5.api.Daemon(host=HOST)
    Pyro5.api.config.SERIALIZER = "msgpack"
    daemon.register(Pyro5.api.expose(Work)(), objectId="work")
    threading.Thread(target=ready, args=(daemon.sock.getsockname()[1],), daemon=True).start()
    daemon.requestLoop()


def grpc() -> None:
    from concurrent.futures import ThreadPoolExecutor

    import msgpack
    from grpc import method_handlers_generic_handler, server, unary_unary_rpc_method_handler

    def handler(function: Any) -> Any:
        return unary_unary_rpc_method_handler(
            lambda args, context: function(*args),
            request_deserializer=msgpack.unpackb,
            response_serializer=msgpack.packb,
        )

    sizes = [("grpc.max_receive_message_length", LARGE), ("grpc.max_send_message_length", LARGE)]
    serving = server(ThreadPoolExecutor(16), options=sizes)
    handlers = {name: handler(function) for name, function in (("double", double), ("echo", echo), ("spin", spin))}
    serving.add_generic_rpc_handlers((method_handlers_generic_handler("work", handlers),))
    port = serving.add_insecure_port(f"{HOST}:0")
    serving.start()
    ready(port)


def aio(fast: bool = False) -> None:
    import asyncio

    import aio_msgpack_rpc

    async def main() -> None:
        server = await asyncio.start_server(aio_msgpack_rpc.Server(Work()), HOST, 0)
        threading.Thread(target=ready, args=(server.sockets[0].getsockname()[1],), daemon=True).start()
        await server.serve_forever()

    if fast:
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())


SERVERS: dict[str, Callable[..., None]] = {
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

if __name__ == "__main__":
    SERVERS[sys.argv[1]](**json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}"))
