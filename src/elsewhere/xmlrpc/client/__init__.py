"""`xmlrpc.client` of the standard library, with every public name: and keep-alive, threads, limits.

Its exceptions and the wrappers of values (`Fault`, `ProtocolError`, `Binary`, `DateTime`...) are the very classes of
the standard library, so that what is raised or made on one side is known on the other.
"""

import xmlrpc.client as _original
from typing import Any
from xmlrpc.client import (
    APPLICATION_ERROR,
    INTERNAL_ERROR,
    INVALID_ENCODING_CHAR,
    INVALID_METHOD_PARAMS,
    INVALID_XMLRPC,
    MAXINT,
    METHOD_NOT_FOUND,
    MININT,
    NOT_WELLFORMED_ERROR,
    PARSE_ERROR,
    SERVER_ERROR,
    SYSTEM_ERROR,
    TRANSPORT_ERROR,
    UNSUPPORTED_ENCODING,
    WRAPPERS,
    Binary,
    Boolean,
    DateTime,
    Error,
    Fault,
    ProtocolError,
    ResponseError,
    boolean,
)

from elsewhere.xmlrpc.client.coding import GzipDecodedResponse, gzip_decode, gzip_encode
from elsewhere.xmlrpc.client.marshalling import Marshaller, dumps, escape
from elsewhere.xmlrpc.client.multicall import MultiCall, MultiCallIterator
from elsewhere.xmlrpc.client.proxy import Server, ServerProxy
from elsewhere.xmlrpc.client.transport import SafeTransport, Transport
from elsewhere.xmlrpc.client.unmarshalling import ExpatParser, Unmarshaller, getparser, loads

__all__ = [
    "APPLICATION_ERROR",
    "INTERNAL_ERROR",
    "INVALID_ENCODING_CHAR",
    "INVALID_METHOD_PARAMS",
    "INVALID_XMLRPC",
    "MAXINT",
    "METHOD_NOT_FOUND",
    "MININT",
    "NOT_WELLFORMED_ERROR",
    "PARSE_ERROR",
    "SERVER_ERROR",
    "SYSTEM_ERROR",
    "TRANSPORT_ERROR",
    "UNSUPPORTED_ENCODING",
    "WRAPPERS",
    "Binary",
    "Boolean",
    "DateTime",
    "Error",
    "ExpatParser",
    "FastMarshaller",
    "FastParser",
    "FastUnmarshaller",
    "Fault",
    "GzipDecodedResponse",
    "Marshaller",
    "MultiCall",
    "MultiCallIterator",
    "ProtocolError",
    "ResponseError",
    "SafeTransport",
    "Server",
    "ServerProxy",
    "Transport",
    "Unmarshaller",
    "boolean",
    "dumps",
    "escape",
    "getparser",
    "gzip_decode",
    "gzip_encode",
    "loads",
]

# Programs put their own parsers here; all three are looked at whenever one is needed.
FastMarshaller: Any = None
FastParser: Any = None
FastUnmarshaller: Any = None


def __getattr__(name: str) -> Any:
    """What else programs take from the original: modules that it imports (``xmlrpc.client.expat``), its privates."""
    return getattr(_original, name)
