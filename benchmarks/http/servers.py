"""One server: ``python -m benchmarks.http.servers PEER`` prints its port; it ends when stdin does."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.rpc.servers import ready

HOST = "127.0.0.1"


def double(n: int) -> int:
    return 2 * n


def size(data: bytes) -> int:
    return len(data)


def standard(module: str = "xmlrpc.server", keep_alive: bool = False, queue: int | None = None) -> None:
    """The standard library's, as it is or with a line that it should have; or the drop-in."""
    import importlib

    found = importlib.import_module(module)
    handler: Any = found.SimpleXMLRPCRequestHandler
    if keep_alive:
        handler = type("KeepAlive", (handler,), {"protocol_version": "HTTP/1.1"})
    if queue is not None:
        found.SimpleXMLRPCServer.request_queue_size = queue
    server = found.SimpleXMLRPCServer((HOST, 0), handler, logRequests=False, use_builtin_types=True)
    server.register_function(double)
    server.register_function(size)
    threading.Thread(target=ready, args=(server.server_address[1],), daemon=True).start()
    server.serve_forever()


def ours(where: str) -> None:
    from elsewhere.rpc import Service

    service = Service(name="work")
    service.register(double, where=where)
    service.register(size, where=where)
    running = service.start(f"http://{HOST}:0")
    ready(int(running.addresses[0].rstrip("/").rpartition(":")[2]))


def starlette(plain: bool = False) -> None:
    """The same function as a route, in the same uvicorn; on its loop, or in a thread."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def on_loop(request: Request) -> JSONResponse:
        given = await request.json()
        return JSONResponse({"result": double(given["params"][0])})

    async def in_thread(request: Request) -> JSONResponse:
        given = await request.json()
        return JSONResponse({"result": await run_in_threadpool(double, given["params"][0])})

    app = Starlette(routes=[Route("/jsonrpc", in_thread if plain else on_loop, methods=["POST"])])
    listener = socket.create_server((HOST, 0), backlog=1024)
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_keep_alive=600)
    threading.Thread(target=ready, args=(listener.getsockname()[1],), daemon=True).start()
    uvicorn.Server(config).run(sockets=[listener])


SERVERS: dict[str, Callable[[], None]] = {
    "standard": standard,
    "standard_1.1": partial(standard, keep_alive=True),
    "standard_queue": partial(standard, queue=128),
    "dropin": partial(standard, "elsewhere.xmlrpc"),
    "threads": partial(ours, "threads"),
    "loop": partial(ours, "loop"),
    "route": starlette,
    "thread_route": partial(starlette, plain=True),
}

if __name__ == "__main__":
    SERVERS[sys.argv[1]]()
