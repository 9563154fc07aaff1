"""What both sides say to each other over HTTP beyond JSON-RPC and XML-RPC: codes of errors, and headers.

::

    POST /jsonrpc                                   Elsewhere-Timeout: 9.5
    {"jsonrpc": "2.0", "method": ..., ...}      →   Elsewhere-Version: 1
                                                    {"error": {"code": -32000, "message": "bad",
                                                     "data": {"kind": "error", "type": "builtins.ValueError"}}, ...}

`data` is what `dialect.described` gives, without its message. Methods as they are over MessagePack are ``rpc.methods``,
and ``rpc.call``, by which arguments go by position and by name at once.

Rule: peers of other makes see nothing unusual. What is ours is in headers, which others do not look at, and in the
`data` of an error of JSON-RPC. An XML-RPC fault has a code and a text and no room for more; its codes are believed only
where the answer says that it is ours.

The kinds are those of `dialect`: they say what the caller can do.
"""

from __future__ import annotations

from typing import Any

from elsewhere.errors import RemoteError
from elsewhere.rpc import dialect

__all__ = ["CODES", "OURS", "TIMEOUT", "raised"]

# The kind of an error → its code. Those below -32600 are the specification's own, for JSON-RPC, and of the wide-spread
# one for XML-RPC (http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php).
CODES = {
    "error": -32000,
    "method": -32601,
    "arguments": -32602,
    "timeout": -32001,
    "cancelled": -32002,
    "token": -32003,
    "never": -32004,
    "lost": -32005,
}
KINDS = {code: kind for kind, code in CODES.items()}
ANYBODYS = ("method", "arguments")  # kinds whose codes mean the same of whatever make a service is
OURS = "Elsewhere-Version"  # a header of each answer of ours: the version of the dialect
TIMEOUT = "Elsewhere-Timeout"  # a header of a request: seconds that each of its calls may take


def raised(error: dict[str, Any], method: str, address: str, *, ours: bool) -> Exception:
    """The exception for an error of JSON-RPC, or a fault of XML-RPC.

    Args:
        error: as it was decoded: a ``code``, a ``message``, and maybe ``data``.
        method: what was called.
        address: where.
        ours: the answer says that it is one of our own services.
    """
    code, text, data = error.get("code"), str(error.get("message")), error.get("data")
    if ours and isinstance(data, dict) and data.get("kind") in dialect.KINDS:
        return dialect.raised({**data, "message": text}, method, address)
    kind = KINDS.get(code, "error") if isinstance(code, int) else "error"
    cls = dialect.KINDS[kind] if ours or kind in ANYBODYS else RemoteError
    where = f"{method} at {address}: {text}"
    return cls(where, text=text, data=error) if issubclass(cls, RemoteError) else cls(where)
