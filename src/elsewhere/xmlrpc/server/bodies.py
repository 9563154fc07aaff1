"""The bodies that a server answers with; whatever a method did, there is one that can be written."""

from __future__ import annotations

from typing import Any

from elsewhere.xmlrpc.client import Fault, dumps, gzip_decode, gzip_encode, loads

__all__ = ["Fault", "described", "dumps", "fault_body", "gzip_decode", "gzip_encode", "is_fault", "loads"]


def is_fault(error: BaseException) -> bool:
    """Is it a `Fault`, or one of a program's own making?"""
    return isinstance(error, Fault) or (hasattr(error, "faultCode") and hasattr(error, "faultString"))


def described(error: BaseException) -> str:
    """What the standard library says of an exception in a fault, whatever its own text does."""
    try:
        return f"{type(error)}:{error}"
    except Exception:  # noqa: BLE001 - an exception that cannot even say what it is
        return f"{type(error)}:"


def fault_body(error: BaseException, *, allow_none: bool, encoding: str) -> bytes:
    """The body that answers a call with this exception.

    Args:
        error: a fault as it is, anything else as fault 1 with its class and its text.
        allow_none: may a fault's own code or text hold None?
        encoding: of the body.
    """
    code: Any = getattr(error, "faultCode", 1) if is_fault(error) else 1
    text: Any = getattr(error, "faultString", "") if is_fault(error) else described(error)
    try:
        body = dumps(Fault(code, text), allow_none=allow_none, encoding=encoding)
    except Exception as problem:  # noqa: BLE001 - a fault of something that cannot be written is a fault of that
        body = dumps(Fault(1, described(problem)), allow_none=allow_none, encoding=encoding)
    return body.encode(encoding, "xmlcharrefreplace")
