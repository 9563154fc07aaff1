"""The names of `xmlrpc.server`: servers for programs written for it, with threads, kept connections and limits.

::

    from elsewhere.xmlrpc.server import SimpleXMLRPCServer

    with SimpleXMLRPCServer(("localhost", 8000)) as server:
        server.register_function(pow)
        server.serve_forever()

Interface: https://docs.python.org/3/library/xmlrpc.server.html. What differs, on purpose: docs/xmlrpc.md.
"""

from typing import TYPE_CHECKING, Any

from elsewhere.xmlrpc.server.bodies import Fault, dumps, gzip_decode, gzip_encode, loads
from elsewhere.xmlrpc.server.cgi import CGIXMLRPCRequestHandler
from elsewhere.xmlrpc.server.dispatching import (
    SimpleXMLRPCDispatcher,
    list_public_methods,
    resolve_dotted_attribute,
)
from elsewhere.xmlrpc.server.handler import SimpleXMLRPCRequestHandler
from elsewhere.xmlrpc.server.serving import MultiPathXMLRPCServer, SimpleXMLRPCServer

if TYPE_CHECKING:
    from elsewhere.xmlrpc.server.documentation import (
        DocCGIXMLRPCRequestHandler,
        DocXMLRPCRequestHandler,
        DocXMLRPCServer,
        ServerHTMLDoc,
        XMLRPCDocGenerator,
    )

__all__ = [
    "CGIXMLRPCRequestHandler",
    "DocCGIXMLRPCRequestHandler",
    "DocXMLRPCRequestHandler",
    "DocXMLRPCServer",
    "Fault",
    "MultiPathXMLRPCServer",
    "ServerHTMLDoc",
    "SimpleXMLRPCDispatcher",
    "SimpleXMLRPCRequestHandler",
    "SimpleXMLRPCServer",
    "XMLRPCDocGenerator",
    "dumps",
    "gzip_decode",
    "gzip_encode",
    "list_public_methods",
    "loads",
    "resolve_dotted_attribute",
]


# What programs take from the original because it imports it.
_IMPORTED = {
    "BaseHTTPRequestHandler": "http.server",
    "partial": "functools",
    "signature": "inspect",
    **dict.fromkeys(("fcntl", "html", "http", "os", "pydoc", "re", "socketserver", "sys", "traceback"), ""),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in __all__:  # with it comes pydoc, which takes as long as all the rest
        return getattr(import_module(f"{__name__}.documentation"), name)
    if name not in _IMPORTED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_IMPORTED[name]), name) if _IMPORTED[name] else import_module(name)
