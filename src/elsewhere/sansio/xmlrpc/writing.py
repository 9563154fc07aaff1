"""Calls and values in, a body out."""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from elsewhere.errors import MessageTooLarge
from elsewhere.sansio.xmlrpc.terms import Limits

__all__ = [
    "answer",
    "batch_body",
    "batch_fault",
    "batch_outcome",
    "call",
    "clean",
    "escaped",
    "fault",
    "fault_members",
]

_LIMITS = Limits()
_HEAD = "<?xml version='1.0'?>\n"
_LARGE = 64 << 10  # bytes that are better not copied more often than they must be
_BAD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # what XML cannot hold, not even escaped
_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_INT = 2**31  # beyond, `int` is not understood everywhere
_I8 = 2**63

Default = Callable[[Any], Any]


def call(method: str, params: Iterable[Any], *, limits: Limits = _LIMITS, default: Default | None = None) -> bytes:
    """The body of a request.

    Args:
        method: its name.
        params: the arguments, by their places: XML-RPC has no names for them.
        limits: for the body and what it holds.
        default: makes something that XML-RPC can hold from what it cannot; as in `msgpack.Packer`.

    Raises:
        TypeError, ValueError, OverflowError: one of them cannot be written: no type of XML-RPC's, characters that XML
            cannot hold, a number of more than 64 bits, a list that contains itself.
        MessageTooLarge: it is larger than `limits` allow. A ValueError, too.
    """
    if not method:
        raise ValueError("the name of the method is empty")
    writing = _Writing(limits, default)
    writing.append(f"{_HEAD}<methodCall><methodName>{escaped(method)}</methodName><params>")
    for value in params:
        writing.append("<param>")
        writing.value(value)
        writing.append("</param>")
    return writing.end("</params></methodCall>\n")


def answer(value: Any, *, limits: Limits = _LIMITS, default: Default | None = None) -> bytes:
    """The body of an answer; raises as `call` does."""
    writing = _Writing(limits, default)
    writing.append(f"{_HEAD}<methodResponse><params><param>")
    writing.value(value)
    return writing.end("</param></params></methodResponse>\n")


def fault(code: int, text: str) -> bytes:
    """The body of a fault. It can always be written: what XML cannot hold of the text is shown as an escape."""
    writing = _Writing(_LIMITS, None)
    writing.append(f"{_HEAD}<methodResponse><fault>")
    writing.value(fault_members(code, text))
    return writing.end("</fault></methodResponse>\n")


def batch_outcome(value: Any, *, limits: Limits = _LIMITS, default: Default | None = None) -> bytes:
    """A value's place in the answer to `MULTICALL`; raises as `call` does."""
    writing = _Writing(limits, default)
    writing.value([value])
    return writing.end("")


def batch_fault(code: int, text: str) -> bytes:
    """A fault's place there."""
    writing = _Writing(_LIMITS, None)
    writing.value(fault_members(code, text))
    return writing.end("")


def batch_body(outcomes: Iterable[bytes]) -> bytes:
    """The body of the answer to `MULTICALL`, of the outcomes of its calls."""
    head = f"{_HEAD}<methodResponse><params><param><value><array><data>"
    return b"".join([head.encode(), *outcomes, b"</data></array></value></param></params></methodResponse>\n"])


def fault_members(code: int, text: str) -> dict[str, Any]:
    """A fault as a struct, with a text that can be written."""
    return {"faultCode": code, "faultString": clean(text)}


def clean(text: str) -> str:
    """The text, with what XML cannot hold as escapes that can be read."""
    return _BAD.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escaped(text: str) -> str:
    """The text as XML.

    Raises:
        ValueError: XML has no way to hold one of its characters; says which, and where.
    """
    if text.isprintable():  # it holds none of the characters that XML cannot: this is the quickest way to know
        if "&" not in text and "<" not in text and ">" not in text:
            return text
    elif _SPECIAL.search(text) is None:
        return text
    bad = _BAD.search(text)
    if bad is not None:
        what = "half of a surrogate pair" if "\ud800" <= bad[0] <= "\udfff" else "a character"
        raise ValueError(
            f"{what} ({bad[0].encode('unicode_escape').decode()} at {bad.start():,}) that XML cannot hold: send bytes"
        )
    # A bare carriage return would arrive as a line feed.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _whole(number: int) -> str:
    if -_INT <= number < _INT:
        return f"<value><int>{number}</int></value>"
    if -_I8 <= number < _I8:
        return f"<value><i8>{number}</i8></value>"
    raise OverflowError("XML-RPC carries whole numbers of up to 64 bits, not larger ones: send a str")


def _time(moment: datetime) -> str:
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    text = moment.replace(tzinfo=None).isoformat(timespec="seconds").replace("-", "")
    return f"<value><dateTime.iso8601>{text}</dateTime.iso8601></value>"


_TEXTS: dict[type, Callable[[Any], str]] = {
    int: _whole,
    str: lambda text: f"<value><string>{escaped(text)}</string></value>",
    bool: lambda yes: f"<value><boolean>{yes:d}</boolean></value>",
    float: lambda number: f"<value><double>{number!r}</double></value>",
    type(None): lambda _: "<value><nil/></value>",
    datetime: _time,
}

# What a subclass of them is without its own methods; a bool has none.
_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__index__),
    (float, float.__pos__),
    (datetime, lambda moment: moment),
)


class _Writing:
    """A body on its way; the text of what is small, and large pieces by themselves."""

    __slots__ = ("_default", "_depth", "_done", "_limits", "_out", "append")

    def __init__(self, limits: Limits, default: Default | None) -> None:
        self._limits = limits
        self._default = default
        self._depth = 0
        self._done: list[bytes] = []
        self._out: list[str] = []
        self.append = self._out.append

    def value(self, value: Any) -> None:
        """Write a value."""
        text = _TEXTS.get(type(value))
        if text is not None:
            self.append(text(value))
        elif isinstance(value, list | tuple):
            self._array(value)
        elif isinstance(value, dict):
            self._struct(value)
        elif isinstance(value, bytes | bytearray | memoryview):
            self._base64(value)
        else:
            self._other(value)

    def _array(self, items: Sequence[Any]) -> None:
        self._deeper()
        self.append("<value><array><data>")
        for item in items:
            self.value(item)
        self.append("</data></array></value>")
        self._depth -= 1

    def _struct(self, members: Mapping[Any, Any]) -> None:
        self._deeper()
        self.append("<value><struct>")
        for name, value in members.items():
            if not isinstance(name, str):
                raise TypeError(f"the names in a struct of XML-RPC are str, not {type(name).__name__}")
            text = _TEXTS.get(type(value))
            if text is not None:
                self.append(f"<member><name>{escaped(str.__str__(name))}</name>{text(value)}</member>")
                continue
            self.append(f"<member><name>{escaped(str.__str__(name))}</name>")
            self.value(value)
            self.append("</member>")
        self.append("</struct></value>")
        self._depth -= 1

    def _base64(self, data: bytes | bytearray | memoryview) -> None:
        if isinstance(data, memoryview):
            data = data.tobytes()
        if len(data) < _LARGE:
            self.append(f"<value><base64>{b2a_base64(data, newline=False).decode()}</base64></value>")
            return
        self._fits(len(data) // 3 * 4)
        self.append("<value><base64>")
        self._done.append("".join(self._out).encode())
        self._out.clear()
        self._done.append(b2a_base64(data, newline=False))
        self.append("</base64></value>")

    def _other(self, value: Any) -> None:
        """A subclass of what can be written, or what the hook makes of it."""
        for kind, bare in _BASES:
            if isinstance(value, kind):
                self.append(_TEXTS[kind](bare(value)))
                return
        if self._default is None:
            raise TypeError(f"XML-RPC has no type for a value of type {type(value).__module__}.{type(value).__name__}")
        self._deeper()
        self.value(self._default(value))
        self._depth -= 1

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > self._limits.depth:
            raise ValueError(f"values are nested more than {self._limits.depth} deep, or one contains itself")

    def _fits(self, size: int) -> None:
        if size > self._limits.size:
            text = f"a body of {size:,} bytes is above the limit of {self._limits.size:,}, and was not made"
            raise MessageTooLarge(text, size=size, limit=self._limits.size)

    def end(self, text: str) -> bytes:
        """The whole body, which ends so."""
        self.append(text)
        last = "".join(self._out).encode()
        self._fits(sum(map(len, self._done)) + len(last))
        return b"".join([*self._done, last]) if self._done else last
