"""What is posted for a call, and what the reply means: JSON-RPC.

Rule: a body knows no address and no connection. Errors of the far side are dicts, with ``code`` and ``message`` and
maybe ``data``; `codes.raised` makes exceptions of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from elsewhere.errors import MessageTooLarge, ProtocolError
from elsewhere.sansio import jsonrpc

__all__ = ["JSON", "Asked", "Body", "Outcome"]


class Asked(NamedTuple):
    """A call on its way.

    Attributes:
        method: what is called.
        args: by position.
        kwargs: by name.
        notifies: no answer is wanted.
    """

    method: str
    args: Any
    kwargs: dict[str, Any]
    notifies: bool = False


class Outcome(NamedTuple):
    """How a call ended: with a value, or with an error."""

    value: Any
    error: dict[str, Any] | None = None


class Body(Protocol):
    """JSON-RPC or XML-RPC.

    Attributes:
        name: of the protocol, for texts.
        other: the scheme of the other one, and the name and the usual path of that.
        kind: the content type.
        notifies: it has calls of which no answer is wanted.
    """

    name: str
    other: tuple[str, str, str]
    kind: str
    notifies: bool

    def takes(self, args: Any, kwargs: dict[str, Any]) -> bool:
        """Has it a place for arguments of these kinds?"""

    def one(self, asked: Asked) -> tuple[bytes, Any]:
        """What to post for a call, and what `outcome` will need.

        Raises:
            TypeError, ValueError, OverflowError: the arguments cannot be sent.
            MessageTooLarge: they are above the limit.
        """

    def outcome(self, body: bytes, key: Any) -> Outcome:
        """What the reply to that means; raises `ProtocolError` where it is none."""

    def many(self, asked: Sequence[Asked]) -> tuple[bytes, Any]:
        """What to post for several calls, and what `outcomes` will need; raises as `one` does."""

    def outcomes(self, body: bytes, key: Any) -> list[Outcome] | Outcome:
        """What the reply to that means, for each call; or an error that is all of them's. Raises as `outcome` does."""

    def resembles(self, body: bytes) -> bool:
        """Does this look as if the far side spoke it?"""


class JSON:
    """JSON-RPC 2.0; see `Body`.

    Args:
        limit: bytes of the largest body.
    """

    name = "JSON-RPC"
    other = ("xmlrpc", "XML-RPC", "/RPC2")
    kind = "application/json"
    notifies = True

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ids = itertools.count(1)

    def takes(self, args: Any, kwargs: dict[str, Any]) -> bool:
        return not (args and kwargs)

    def one(self, asked: Asked) -> tuple[bytes, Any]:
        msgid = ... if asked.notifies else next(self._ids)
        return jsonrpc.request(msgid, asked.method, asked.args, asked.kwargs, self._limit), msgid

    def outcome(self, body: bytes, key: Any) -> Outcome:
        if key is ... and not body.strip():
            return Outcome(None)
        found = jsonrpc.answers(body)
        if len(found) != 1:
            raise ProtocolError(f"one call of JSON-RPC has {len(found)} answers")
        if found[0].error is None and found[0].msgid != key and key is not ...:
            raise ProtocolError("the answer is one to another call: its id is not the request's")
        return _outcome(found[0])

    def many(self, asked: Sequence[Asked]) -> tuple[bytes, Any]:
        parts = [self.one(each) for each in asked]
        body = jsonrpc.batch(part for part, _ in parts)
        if len(body) > self._limit:
            text = (
                f"a batch of {len(body):,} bytes is above the limit of {self._limit:,} on this side, and was not sent"
            )
            raise MessageTooLarge(text, size=len(body), limit=self._limit)
        return body, [msgid for _, msgid in parts]

    def outcomes(self, body: bytes, key: Any) -> list[Outcome] | Outcome:
        if not body.strip() and all(msgid is ... for msgid in key):
            return [Outcome(None)] * len(key)
        found = jsonrpc.answers(body)
        if len(found) == 1 and found[0].msgid is None and found[0].error is not None:
            return _outcome(found[0])
        answers = {each.msgid: each for each in found}
        return [_outcome(answers[msgid]) if msgid in answers else _silence(msgid) for msgid in key]

    def resembles(self, body: bytes) -> bool:
        return body.lstrip()[:1] in {b"{", b"["}


def _outcome(answer: jsonrpc.Answer) -> Outcome:
    error = answer.error
    if error is None:
        return Outcome(answer.result)
    told = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    return Outcome(None, told)


def _silence(msgid: Any) -> Outcome:
    if msgid is ...:
        return Outcome(None)
    return Outcome(None, {"code": jsonrpc.INTERNAL, "message": "the answer to the batch does not tell of this call"})
