"""A drop-in for `msgpackrpc`, the package of msgpack-rpc-python 0.4.1: the same names, without Tornado.

::

    import elsewhere.msgpackrpc as msgpackrpc

    server = msgpackrpc.Server(Services())
    server.listen(msgpackrpc.Address("localhost", 6789))
    server.start()  # until server.stop(), from wherever

    client = msgpackrpc.Client(msgpackrpc.Address("localhost", 6789), unpack_encoding="utf-8")
    client.call("double", 8)

Programs that say ``import msgpackrpc`` find this package after `install`, or when they are started by
``python -m elsewhere.msgpackrpc script.py``. What differs from the original, on purpose: docs/msgpackrpc.md.
"""

from elsewhere.msgpackrpc import error, future, message, server, session
from elsewhere.msgpackrpc._version import __version__
from elsewhere.msgpackrpc.address import Address
from elsewhere.msgpackrpc.client import Client
from elsewhere.msgpackrpc.future import Future
from elsewhere.msgpackrpc.loop import Loop
from elsewhere.msgpackrpc.server import Server

__all__ = [
    "Address",
    "Client",
    "Future",
    "Loop",
    "Server",
    "__version__",
    "error",
    "future",
    "install",
    "message",
    "server",
    "session",
]

NAME = "msgpackrpc"


def install() -> None:
    """From now on ``import msgpackrpc`` gives this package, in this process, even where the original is installed.

    What has imported the original before keeps it. Doing it again changes nothing.
    """
    import sys
    from importlib import import_module
    from pkgutil import walk_packages

    sys.modules[NAME] = sys.modules[__name__]
    for found in walk_packages(__path__, f"{__name__}."):
        if not found.name.endswith(".__main__"):
            sys.modules[NAME + found.name.removeprefix(__name__)] = import_module(found.name)
