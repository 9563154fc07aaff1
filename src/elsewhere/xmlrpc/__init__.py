"""A drop-in for `xmlrpc`, the standard library's package: the same names, and safe against what comes from outside.

::

    import elsewhere.xmlrpc as xmlrpc

    with xmlrpc.client.ServerProxy("http://localhost:8000") as proxy:
        proxy.pow(2, 5)

`client` and `server` have every public name of `xmlrpc.client` and of `xmlrpc.server`; this package has them all, too.
Programs that say ``import xmlrpc.client`` find it after `install`, or when they are started by
``python -m elsewhere.xmlrpc script.py``. What differs from the original, on purpose: docs/xmlrpc.md.
"""

from typing import TYPE_CHECKING, Any

from elsewhere.xmlrpc import client
from elsewhere.xmlrpc.client import *  # noqa: F403 - one place says which names there are

if TYPE_CHECKING:
    from elsewhere.xmlrpc import server
    from elsewhere.xmlrpc.server import (
        CGIXMLRPCRequestHandler,
        DocCGIXMLRPCRequestHandler,
        DocXMLRPCRequestHandler,
        DocXMLRPCServer,
        MultiPathXMLRPCServer,
        ServerHTMLDoc,
        SimpleXMLRPCDispatcher,
        SimpleXMLRPCRequestHandler,
        SimpleXMLRPCServer,
        XMLRPCDocGenerator,
        list_public_methods,
        resolve_dotted_attribute,
    )

__all__ = [
    "CGIXMLRPCRequestHandler",
    "DocCGIXMLRPCRequestHandler",
    "DocXMLRPCRequestHandler",
    "DocXMLRPCServer",
    "MultiPathXMLRPCServer",
    "ServerHTMLDoc",
    "SimpleXMLRPCDispatcher",
    "SimpleXMLRPCRequestHandler",
    "SimpleXMLRPCServer",
    "XMLRPCDocGenerator",
    "client",
    "install",
    "list_public_methods",
    "resolve_dotted_attribute",
    "server",
]
__all__ += client.__all__

NAME = "xmlrpc"


def install() -> None:
    """From now on ``import xmlrpc.client`` and ``import xmlrpc.server`` give these modules, in this process.

    What has imported the originals before keeps them; faults, dates and binary data are of the same classes in both.
    Doing it again changes nothing.
    """
    import sys
    from importlib import import_module

    package = import_module(NAME)
    for module in (client, import_module(f"{__name__}.server")):
        name = module.__name__.rpartition(".")[2]
        sys.modules[f"{NAME}.{name}"] = module
        setattr(package, name, module)


def __getattr__(name: str) -> Any:
    """The server half, when it is asked for: a client does without http.server."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    server = import_module(f"{__name__}.server")
    return server if name == "server" else getattr(server, name)
