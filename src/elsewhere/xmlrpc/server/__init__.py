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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from elsewhere.xmlrpc.server import documentation  # with it comes pydoc, which takes as long as all the rest

    return getattr(documentation, name)
