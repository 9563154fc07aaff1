"""What is posted for a call, and what the reply means: XML-RPC. See `bodies`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from elsewhere.rpc.calling.http.bodies import Asked, Outcome
from elsewhere.sansio import xmlrpc

__all__ = ["XML", "Ask", "described"]

CARRIES = "XML-RPC carries None, bool, int of 64 bits, float, str, bytes, datetime, list, tuple and dict with str keys"
# Servers of the standard library have no code for a method that they do not have.
_UNKNOWN = re.compile(r"<class 'Exception'>:method \"(.*)\" is not supported", re.DOTALL)


class XML:
    """XML-RPC; see `bodies.Body`.

    Args:
        limit: bytes of the largest body.
    """

    name = "XML-RPC"
    other = ("jsonrpc", "JSON-RPC", "/jsonrpc")
    kind = "text/xml"
    notifies = False

    def __init__(self, limit: int) -> None:
        self._limits = xmlrpc.Limits(size=limit)

    def takes(self, args: Any, kwargs: dict[str, Any]) -> bool:
        return not kwargs

    def one(self, asked: Asked) -> tuple[bytes, Any]:
        method, args, kwargs, _ = asked
        if kwargs:
            raise TypeError(
                f"{method} cannot be called with keywords ({', '.join(kwargs)}): XML-RPC has positional arguments only"
            )
        try:
            return xmlrpc.call(method, args, limits=self._limits), None
        except (TypeError, OverflowError) as error:
            raise type(error)(f"{method}: {error}: {CARRIES}") from None

    def outcome(self, body: bytes, key: Any) -> Outcome:
        try:
            return Outcome(xmlrpc.parse_answer(body, self._limits))
        except xmlrpc.Fault as fault:
            return _failed(fault)

    def many(self, asked: Sequence[Asked]) -> tuple[bytes, Any]:
        for each in asked:
            if each.kwargs:
                self.one(each)  # says why not
        calls = xmlrpc.batch((each.method, each.args) for each in asked)
        return self.one(Asked(xmlrpc.MULTICALL, calls, {}))[0], len(asked)

    def outcomes(self, body: bytes, key: Any) -> list[Outcome] | Outcome:
        found = self.outcome(body, None)
        if found.error is not None:
            return found
        outcomes = xmlrpc.parse_batch_answer(found.value, key)
        return [_failed(one) if isinstance(one, xmlrpc.Fault) else Outcome(one) for one in outcomes]

    def resembles(self, body: bytes) -> bool:
        return b"<methodResponse" in body[:1000]


def _failed(fault: xmlrpc.Fault) -> Outcome:
    code = xmlrpc.METHOD_NOT_FOUND if _UNKNOWN.fullmatch(fault.text) else fault.code
    return Outcome(None, {"code": code, "message": fault.text})


Ask = Callable[[list[tuple[str, list[Any]]]], list[Any]]


def described(names: list[str], ask: Ask) -> list[dict[str, Any]]:
    """Name, signature and doc of each method of a plain peer, as far as it tells.

    Args:
        names: the methods.
        ask: makes many calls, and gives the value of each, or None where there is none.
    """
    wanted = [(f"system.method{what}", [name]) for name in names for what in ("Signature", "Help")]
    told = ask(wanted)
    return [
        {"name": name, "signature": _signature(told[2 * at]), "doc": _text(told[2 * at + 1]), "idempotent": False}
        for at, name in enumerate(names)
    ]


def _signature(told: Any) -> str:
    """``"(int, int) -> string"`` for ``[["string", "int", "int"]]``; "" for what is none."""
    first = told[0] if isinstance(told, list) and told else None
    if isinstance(first, str):  # as Supervisor tells it: the one that there is
        first = told
    if not isinstance(first, list) or not first or not all(isinstance(name, str) for name in first):
        return ""
    return f"({', '.join(first[1:])}) -> {first[0]}"


def _text(told: Any) -> str:
    from inspect import cleandoc  # which is as long to import as all the rest

    return cleandoc(told) if isinstance(told, str) else ""
