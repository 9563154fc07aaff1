"""JSON-RPC 2.0: bodies in, calls and answers out, and the other way round; both sides.

::

    request       {"jsonrpc": "2.0", "method": "double", "params": [7], "id": 1}       params: an array or an object
    notification  {"jsonrpc": "2.0", "method": "double", "params": [7]}                nobody answers
    answer        {"jsonrpc": "2.0", "result": 14, "id": 1}
    error         {"jsonrpc": "2.0", "error": {"code": -32601, "message": "...", "data": ...}, "id": 1}
    batch         [request, ...], answered by [answer, ...] in any order

Specification: https://www.jsonrpc.org/specification. How bodies travel is somebody else's business.

Rule: whatever comes, there is an answer with the code that the specification wants, and nothing that went in makes an
answer that is no JSON: numbers that JSON does not have are errors, and all but ASCII leaves escaped, so that half a
surrogate pair goes as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any, NamedTuple, NoReturn

from elsewhere.errors import MessageTooLarge, ProtocolError

__all__ = [
    "ARGUMENTS", "INTERNAL", "INVALID", "METHOD", "PARSE", "SERVER", "Answer", "Failure", "Parts", "Request",
    "answer", "answers", "batch", "encoder", "failure", "request", "requests",
]  # fmt: skip

PARSE, INVALID, METHOD, ARGUMENTS, INTERNAL = -32700, -32600, -32601, -32602, -32603
SERVER = -32000  # down to -32099: errors of the server, whatever it means by them
CALLS = 1000  # of a batch
ENTRIES = 1 << 20  # of all arrays and objects of a body: the decoded ones take up to a hundred times their text
CARRIES = "JSON carries None, bool, int, float, str, list, tuple and dict"
ABSENT: Any = ...  # the id of a notification
_HEAD = b'{"jsonrpc":"2.0",'
# What is between two texts, and the text behind it.
_BETWEEN = re.compile(rb'([^"]*+)(?:"[^"\\]*+(?:\\.[^"\\]*+)*+")?+', re.DOTALL)

Encode = Callable[[Any], str]


class Failure(Exception):
    """An error object: what is wrong with a request, or what the far side has answered.

    Attributes:
        code: an int; see the specification.
        message: in words.
        data: whatever else is told; None if nothing is.
        msgid: of the request, None if that is not known, and ``...`` if it is a notification.
    """

    def __init__(self, code: int, message: str, data: Any = None, msgid: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.msgid = msgid


class Request(NamedTuple):
    """A call.

    Attributes:
        msgid: a str, a number or None, to be told in the answer; ``...`` of a notification, which has none.
        method: its name.
        args: by position.
        kwargs: by name; of the two, one is empty.
    """

    msgid: Any
    method: str
    args: list[Any]
    kwargs: dict[str, Any]


class Parts(NamedTuple):
    """What a body asks for.

    Attributes:
        calls: requests, and the `Failure` of each that is none; never empty.
        batch: they came in an array, and so are answered: by `batch`, or by nothing if all are notifications.
    """

    calls: list[Request | Failure]
    batch: bool


class Answer(NamedTuple):
    """What was answered.

    Attributes:
        msgid: of the request; None if the far side could not tell it.
        result: what the method has returned.
        error: why there is none.
    """

    msgid: Any
    result: Any
    error: Failure | None


# ---- in: both sides --------------------------------------------------------------------------------------------------


def _decoded(body: bytes | bytearray, entries: int) -> Any:
    """The value of a body.

    Raises:
        ValueError: it is no JSON, or holds more than is allowed; says why.
    """
    try:
        text = body.decode("utf-8-sig" if body[:1] == b"\xef" else "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8: {error.reason} at byte {error.start}") from None
    if body.count(b",") >= entries and _holds(body, entries):
        raise ValueError(f"it holds more than {entries:,} entries")
    try:
        return _decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _holds(body: bytes | bytearray, entries: int) -> bool:
    """Does it hold so many entries? Commas in texts are none; who has four texts for each entry has more of those."""
    commas, end = 0, len(body)
    for number, part in enumerate(_BETWEEN.finditer(body)):
        stop = part.end(1)
        commas += body.count(b",", part.start(), stop)
        if commas >= entries or number > 4 * entries + 100:
            return True
        if stop == part.end() < end:  # a text that does not end: whoever reads it on looks at its rest again and again
            return False
    return False


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")  # which Python would read


_decode = json.JSONDecoder(parse_constant=_no_number).decode


# ---- in: a service ---------------------------------------------------------------------------------------------------


def requests(body: bytes | bytearray, *, calls: int = CALLS, entries: int = ENTRIES) -> Parts:
    """What a body asks for.

    Args:
        body: as it came.
        calls: the most that a batch may hold.
        entries: the most that all arrays and objects in it may hold together, roughly.

    Raises:
        Failure: it is no JSON, or no request at all; this is the whole answer.
    """
    try:
        found = _decoded(body, entries)
    except ValueError as error:
        raise Failure(PARSE, f"the body is no JSON that can be read: {error}") from None
    if not isinstance(found, list):
        return Parts([_request(found)], False)
    if not found:
        raise Failure(INVALID, "a batch is an array of one request at least")
    if len(found) > calls:
        raise Failure(INVALID, f"a batch of {len(found):,} calls is above the limit of {calls:,}")
    return Parts([_request(each) for each in found], True)


def _request(found: Any) -> Request | Failure:
    if type(found) is not dict:
        return Failure(INVALID, f"a request is an object, not {_kind(found)}")
    msgid, method, params = found.get("id", ABSENT), found.get("method"), found.get("params")
    if not (
        msgid is ABSENT or msgid is None or type(msgid) in {str, int} or (type(msgid) is float and isfinite(msgid))
    ):
        return Failure(INVALID, f'"id" is a string, a number or null, not {_kind(msgid)}')
    told = None if msgid is ABSENT else msgid
    if found.get("jsonrpc") != "2.0":
        return Failure(INVALID, 'a request says "jsonrpc": "2.0"', msgid=told)
    if type(method) is not str:
        return Failure(INVALID, f'"method" is a string, not {_kind(method)}', msgid=told)
    if type(params) is list:
        return Request(msgid, method, params, {})
    if type(params) is dict:
        return Request(msgid, method, [], params)
    if params is None and "params" not in found:
        return Request(msgid, method, [], {})
    return Failure(INVALID, f'"params" is an array or an object, not {_kind(params)}', msgid=told)


def _kind(value: Any) -> str:
    """What it is in JSON's words, without showing what a stranger has sent."""
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")


# ---- out: a service --------------------------------------------------------------------------------------------------


def encoder(default: Callable[[Any], Any] | None = None) -> Encode:
    """Something that makes JSON of a value.

    Args:
        default: makes something that JSON can hold of what it cannot, or raises TypeError; as in `json.dumps`.
    """
    return json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=default).encode


def answer(msgid: Any, result: Any, encode: Encode) -> bytes:
    """The bytes of an answer.

    Raises:
        TypeError, ValueError, RecursionError: JSON does not hold the result. So does whatever `encode` raises.
    """
    return b'%b"result":%b,"id":%b}' % (_HEAD, encode(result).encode(), _encode(msgid).encode())


def failure(error: Failure, encode: Encode | None = None) -> bytes:
    """The bytes of an error; raises as `answer` does, if it has data."""
    told = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    msgid = None if error.msgid is ABSENT else error.msgid
    return b'%b"error":%b,"id":%b}' % (_HEAD, (encode or _encode)(told).encode(), _encode(msgid).encode())


def batch(parts: Iterable[bytes]) -> bytes:
    """The bytes of a batch, of those of its requests or its answers."""
    return b"[%b]" % b",".join(parts)


_encode = encoder()


# ---- out: a client ---------------------------------------------------------------------------------------------------


def request(msgid: Any, method: str, args: Any, kwargs: dict[str, Any], limit: int) -> bytes:
    """The bytes of a request.

    Args:
        msgid: a str or an int; ``...`` for a notification.
        method: what is called.
        args: by position.
        kwargs: by name.
        limit: bytes of the largest body.

    Raises:
        TypeError, ValueError: JSON does not hold the arguments, or there are both kinds.
        MessageTooLarge: it is above the limit.
    """
    if args and kwargs:
        raise TypeError(f"{method}: JSON-RPC takes arguments by position or by name, not both in one call")
    try:
        params = (_outgoing(kwargs or args)).encode()
    except RecursionError:
        raise ValueError(f"{method}: its arguments are nested too deeply for JSON") from None
    except (TypeError, ValueError) as error:
        raise type(error)(f"{method}: {error}: {CARRIES}") from None
    tail = b"}" if msgid is ABSENT else b',"id":%b}' % _encode(msgid).encode()
    body = b'%b"method":%b,"params":%b%b' % (_HEAD, _encode(method).encode(), params, tail)
    if len(body) > limit:
        text = f"a message of {len(body):,} bytes is above the limit of {limit:,} on this side, and was not sent"
        raise MessageTooLarge(text, size=len(body), limit=limit)
    return body


def _foreign(value: Any) -> NoReturn:
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(
            "it has no bytes. base64.b64encode(value).decode() is what a method takes whose parameter is annotated so, "
            "and XML-RPC carries bytes"
        )
    raise TypeError(f"a value of type {type(value).__module__}.{type(value).__qualname__} cannot be sent")


_outgoing = encoder(_foreign)


# ---- in: a client ----------------------------------------------------------------------------------------------------


def answers(body: bytes, *, entries: int = ENTRIES) -> list[Answer]:
    """What was answered, to one request or to a batch; empty only for an empty array.

    Raises:
        ProtocolError: it is no answer of JSON-RPC 2.0; says why.
    """
    try:
        found = _decoded(body, entries)
    except ValueError as error:
        raise ProtocolError(f"the answer is no JSON: {error}") from None
    return [_answer(each) for each in (found if isinstance(found, list) else [found])]


def _answer(found: Any) -> Answer:
    if type(found) is not dict:
        raise ProtocolError(f"an answer of JSON-RPC is an object, not {_kind(found)}")
    msgid, error = found.get("id"), found.get("error")
    if msgid is not None and type(msgid) not in {str, int, float}:
        raise ProtocolError(f'"id" of an answer is a string, a number or null, not {_kind(msgid)}')
    if error is None:
        # JSON-RPC 1.0 has both members, one of them null; some servers of 2.0 have learnt it from there.
        if "result" not in found:
            raise ProtocolError('an answer of JSON-RPC has a "result" or an "error"')
        return Answer(msgid, found["result"], None)
    if type(error) is not dict:
        return Answer(msgid, None, Failure(SERVER, str(error), error, msgid))
    code, message = error.get("code"), error.get("message")
    text = message if isinstance(message, str) else str(error)
    return Answer(msgid, None, Failure(code if type(code) is int else SERVER, text, error.get("data"), msgid))
