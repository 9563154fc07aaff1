"""A body in, its call or its value out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

from elsewhere.errors import MessageTooLarge
from elsewhere.sansio.xmlrpc.feeding import PIECE, Feed
from elsewhere.sansio.xmlrpc.grammar import ANSWER, CALL, Does, State, Step
from elsewhere.sansio.xmlrpc.scalars import shown
from elsewhere.sansio.xmlrpc.terms import NOT_WELL_FORMED, Fault, Limits, Malformed

__all__ = ["as_fault", "parse_answer", "parse_call"]

_LIMITS = Limits()
_NOTHING, _SCALAR, _STRING, _NIL, _ARRAY, _STRUCT, _FAULT = (
    Does.NOTHING, Does.SCALAR, Does.STRING, Does.NIL, Does.ARRAY, Does.STRUCT, Does.FAULT
)  # fmt: skip


def parse_call(body: bytes | bytearray | memoryview, limits: Limits = _LIMITS) -> tuple[str, list[Any]]:
    """The name of the method and its arguments.

    Raises:
        Malformed: it is no call of XML-RPC; has the code for the fault to answer with.
        MessageTooLarge: it is larger, or holds more, than `limits` allow. A ValueError, too.
    """
    method, *params = _read(body, CALL, limits).values
    if not method.strip():
        raise Malformed("methodName is empty")
    return method.strip(), params


def parse_answer(body: bytes | bytearray | memoryview, limits: Limits = _LIMITS) -> Any:
    """The value of an answer.

    Raises:
        Fault: it is a fault.
        Malformed: it is no answer of XML-RPC.
        MessageTooLarge: it is larger, or holds more, than `limits` allow. A ValueError, too.
    """
    reading = _read(body, ANSWER, limits)
    value = reading.values[0] if reading.values else None  # some answer no param where there is nothing to say
    if not reading.fault:
        return value
    fault = as_fault(value)
    if fault is not None:
        raise fault
    raise Malformed("the fault is no struct of faultCode, a number, and faultString")


def as_fault(value: Any) -> Fault | None:
    """The fault that this struct is; None if it is none."""
    if type(value) is dict and type(text := value.get("faultString")) is str:
        code = value.get("faultCode")
        if type(code) is int:
            return Fault(code, text)
        if type(code) is str:  # Perl's XMLRPC::Lite: "Client" or "Server"
            return Fault(0, f"{code}: {text}")
    return None


def _read(body: bytes | bytearray | memoryview, document: State, limits: Limits) -> _Reading:
    size = len(body)
    if size > limits.size:
        text = f"a body of {size:,} bytes is above the limit of {limits.size:,}"
        raise MessageTooLarge(text, size=size, limit=limits.size)
    parser = ParserCreate()
    reading = _Reading(document, limits)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.pieces.append
    try:
        if size <= PIECE:
            parser.Parse(body, True)
        else:
            parser.buffer_size = PIECE  # for the texts, which are put together from such pieces
            feed = Feed(parser)
            feed.feed(memoryview(body))
            feed.end()
    except ExpatError as error:
        raise Malformed(f"this is no well-formed XML: {error}", code=NOT_WELL_FORMED) from None
    except (Malformed, MessageTooLarge) as error:
        error.args = (f"{error}: line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber}",)
        raise
    except (ValueError, LookupError) as error:  # an encoding that it names, but that is none
        raise Malformed(f"this is no XML: {error}", code=NOT_WELL_FORMED) from None
    return reading


def _refuse(name: str, system: str | None, public: str | None, internal: bool) -> None:
    raise Malformed("a document type declaration (<!DOCTYPE) is not allowed: XML-RPC has none")


class _Reading:
    """What has been read of one body.

    Attributes:
        fault: it holds a fault.
        pieces: of the text since the last element began.
        values: a call's name and its arguments, or an answer's value. While an array or a struct is open, its parts are
            the last of them.
    """

    __slots__ = ("_after", "_convert", "_limits", "_marks", "_room", "_state", "fault", "pieces", "values")

    def __init__(self, document: State, limits: Limits) -> None:
        self.fault = False
        self.pieces: list[str] = []
        self.values: list[Any] = []
        self._state = document
        self._after: list[State] = []
        self._convert: Callable[[str], object] = str
        self._marks: list[int] = []
        self._limits = limits
        self._room = limits.values

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        step = self._state.enter.get(tag) or self._unusual(tag)
        self._state, after, self._convert, is_value, nests = step
        self._after.append(after)
        self.pieces.clear()
        if is_value:
            self._room -= 1
            if self._room < 0:
                raise MessageTooLarge(f"a body holds more than {self._limits.values:,} values")
        elif nests:
            self._marks.append(len(self.values))
            if len(self._marks) > self._limits.depth:
                raise MessageTooLarge(f"arrays and structs are nested more than {self._limits.depth} deep")

    def _unusual(self, tag: str) -> Step:
        """The step of a tag that is not in the table."""
        prefix, _, bare = tag.rpartition(":")
        step = self._state.enter.get(bare) if prefix else None
        if step is not None:
            return step
        if self._state.enter:
            raise Malformed(f"<{shown(tag)[1:-1]}> where only {', '.join(self._state.enter)} may be")
        raise Malformed(f"<{shown(tag)[1:-1]}> where no element may be")

    def end(self, tag: str) -> None:
        """An element ends."""
        was = self._state
        self._state = self._after.pop()
        does = was.does
        if does is _NOTHING:
            return
        if does is _SCALAR:
            text = "".join(self.pieces)
            self.pieces.clear()  # a large text is there once only
            try:
                self.values.append(self._convert(text))
            except ValueError as error:
                raise Malformed(f"<{shown(tag)[1:-1]}> {error}") from None
        elif does is _STRING:
            self.values.append("".join(self.pieces))
        elif does is _NIL:
            self.values.append(None)
        elif does is _ARRAY:
            mark = self._marks.pop()
            self.values[mark:] = [self.values[mark:]]
        elif does is _STRUCT:
            mark = self._marks.pop()
            parts = self.values[mark:]
            self.values[mark:] = [dict(zip(parts[::2], parts[1::2], strict=True))]
        elif does is _FAULT:
            self.fault = True
        else:
            raise Malformed(f"<{shown(tag)[1:-1]}> ends without {was.lacks}")
