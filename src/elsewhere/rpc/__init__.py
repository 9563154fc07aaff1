"""Functions behind an address: `Service` answers, `connect` calls.

::

    service     Service: what can be called, and where it is served
    client      connect and Client
    dialect     what our own peers say to each other beyond MessagePack-RPC: both sides' contract
    codes       ... and beyond JSON-RPC and XML-RPC, over HTTP
    serving/    what a service is made of
    web/        ... over HTTP
    page/       ... and its page in the browser
    calling/    what a client is made of
    program     a program that runs with a drop-in in the place of the original
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from elsewhere.rpc.client import Client, connect
    from elsewhere.rpc.service import Service
    from elsewhere.rpc.serving.caller import Caller, caller

__all__ = ["Caller", "Client", "Service", "caller", "connect"]

_HOME = {
    "Caller": "elsewhere.rpc.serving.caller",
    "Client": "elsewhere.rpc.client",
    "Service": "elsewhere.rpc.service",
    "caller": "elsewhere.rpc.serving.caller",
    "connect": "elsewhere.rpc.client",
}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'elsewhere.rpc' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(home), name)
    return value
