"""XML as Python's values: `Unmarshaller`, its parser, and `loads`."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from xml.parsers import expat
from xmlrpc.client import Binary, DateTime, Fault, ResponseError

from elsewhere.sansio.xmlrpc.feeding import Feed
from elsewhere.sansio.xmlrpc.scalars import date_time
from elsewhere.sansio.xmlrpc.terms import Malformed
from elsewhere.xmlrpc import client  # this package: programs put their own there

__all__ = ["ExpatParser", "Unmarshaller", "getparser", "loads"]

_FORMAT = "%Y%m%dT%H:%M:%S"


class ExpatParser:
    """Tells an `Unmarshaller` what it finds; a document type declaration is refused, so that nothing can expand.

    Args:
        target: has `xml`, `start`, `end` and `data`.
    """

    def __init__(self, target: Any) -> None:
        self._parser = parser = expat.ParserCreate(None, None)
        self._feed = Feed(parser)
        self._target = target
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse
        parser.StartElementHandler = target.start
        parser.EndElementHandler = target.end
        parser.CharacterDataHandler = target.data
        target.xml(None, None)

    def feed(self, data: str | bytes) -> None:
        """Read more of it.

        Raises:
            xml.parsers.expat.ExpatError: it is no well-formed XML.
            ResponseError: it is no XML-RPC, or more than is allowed.
        """
        try:
            self._feed.feed(data)
        except Malformed as error:
            raise ResponseError(str(error)) from None
        except LookupError as error:
            if type(error) is not LookupError:
                raise
            raise ResponseError(f"the document names an encoding that there is not: {error}") from None

    def close(self) -> None:
        """That was all; raises as `feed` does."""
        parser = self.__dict__.pop("_parser", None)
        if parser is not None:
            del self._target, self._feed  # they know each other
            parser.Parse(b"", True)


def _refuse(name: str, system: str | None, public: str | None, internal: bool) -> None:
    raise ResponseError("a document type declaration (<!DOCTYPE) is not allowed: XML-RPC has none")


class Unmarshaller:
    """Makes values of what a parser tells it: `start`, `data` and `end`, then `close`.

    It is as patient with odd XML as the original. Programs teach it elements of their own:
    ``Unmarshaller.dispatch["ex:decimal"] = lambda unmarshaller, text: unmarshaller.append(Decimal(text))``.

    Args:
        use_datetime: make `datetime.datetime` of times, instead of `DateTime`.
        use_builtin_types: that, and `bytes` of binary data, instead of `Binary`.

    Attributes:
        max_depth: how many arrays and structs may be in each other; 200.
        max_values: how many values there may be, all in all; about a million.
    """

    max_depth = 200
    max_values = 1 << 20
    dispatch: ClassVar[dict[str, Callable[[Any, Any], Any]]] = {}

    def __init__(self, use_datetime: bool = False, use_builtin_types: bool = False) -> None:
        self._type: str | None = None
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._data: list[Any] = []
        self._value = False
        self._values = 0
        self._methodname: str | None = None
        self._encoding: str | None = "utf-8"
        self.append = self._stack.append
        self._use_datetime = use_builtin_types or use_datetime
        self._use_bytes = use_builtin_types

    def close(self) -> tuple[Any, ...]:
        """The params, or the value of an answer as the only one of them.

        Raises:
            Fault: it is one.
            ResponseError: it is not whole, or no XML-RPC.
        """
        if self._type is None or self._marks:
            raise ResponseError("what came is no call or answer of XML-RPC, or it is not whole")
        if self._type == "fault":
            fault = self._stack[0] if self._stack else None
            if not isinstance(fault, dict) or not {"faultCode", "faultString"} <= fault.keys():
                raise ResponseError("the fault is no struct of faultCode and faultString")
            raise Fault(**fault)
        return tuple(self._stack)

    def getmethodname(self) -> str | None:
        """The name of the method that is called, if it is a call."""
        return self._methodname

    # ---- what the parser finds ---------------------------------------------------------------------------------------

    def xml(self, encoding: str | None, standalone: Any) -> None:
        """The document begins: texts will be bytes of this encoding, or str (None)."""
        self._encoding = encoding

    def start(self, tag: str, attrs: Any) -> None:
        """An element begins."""
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        if tag == "value":
            self._values += 1
            if self._values > self.max_values:
                raise ResponseError(
                    f"more than {self.max_values:,} values; Unmarshaller.max_values says how many may be"
                )
        elif tag == "array" or tag == "struct":  # noqa: PLR1714 - a set takes longer
            self._marks.append(len(self._stack))
            if len(self._marks) > self.max_depth:
                raise ResponseError(
                    f"arrays and structs are more than {self.max_depth} deep; Unmarshaller.max_depth says how deep"
                )
        self._data = []
        if self._value and tag not in self.dispatch:
            raise ResponseError(f"unknown tag {tag!r}")
        self._value = tag == "value"

    def data(self, text: Any) -> None:
        """A piece of text."""
        self._data.append(text)

    def end(self, tag: str) -> Any:
        """An element ends."""
        try:
            data: str | bytes = "".join(self._data)
        except TypeError:  # of a parser that gives bytes
            data = b"".join(self._data)
        end = self.dispatch.get(tag)
        return end(self, data) if end is not None else self.end_dispatch(tag, data)

    def end_dispatch(self, tag: str, data: Any) -> Any:
        """An element ends, and this is its text."""
        end = self.dispatch.get(tag)
        if end is None and ":" in tag:
            end = self.dispatch.get(tag.rpartition(":")[2])
        return None if end is None else end(self, data)

    # ---- elements ----------------------------------------------------------------------------------------------------

    def end_nil(self, data: Any) -> None:
        self.append(None)
        self._value = False

    def end_boolean(self, data: Any) -> None:
        if data not in {"0", "1"}:
            raise TypeError("bad boolean value")
        self.append(data == "1")
        self._value = False

    def end_int(self, data: Any) -> None:
        self.append(int(data))
        self._value = False

    def end_double(self, data: Any) -> None:
        self.append(float(data))
        self._value = False

    def end_bigdecimal(self, data: Any) -> None:
        self.append(Decimal(data))
        self._value = False

    def end_string(self, data: Any) -> None:
        self.append(data.decode(self._encoding) if self._encoding else data)
        self._value = False

    def end_array(self, data: Any) -> None:
        mark = self._marks.pop()
        self._stack[mark:] = [self._stack[mark:]]
        self._value = False

    def end_struct(self, data: Any) -> None:
        mark = self._marks.pop()
        items = self._stack[mark:]
        if len(items) % 2:
            raise ResponseError("a struct has a name without a value, or a value without a name")
        self._stack[mark:] = [dict(zip(items[::2], items[1::2], strict=True))]
        self._value = False

    def end_base64(self, data: Any) -> None:
        found = base64.decodebytes(data.encode("ascii"))
        self.append(found if self._use_bytes else Binary(found))
        self._value = False

    def end_dateTime(self, data: Any) -> None:  # noqa: N802 - the original's name
        if self._use_datetime:
            self.append(_moment(data))
        else:
            value = DateTime()
            value.decode(data)
            self.append(value)
        self._value = False

    def end_value(self, data: Any) -> None:
        if self._value:  # it names no type: a string
            self.end_string(data)

    def end_params(self, data: Any) -> None:
        self._type = "params"

    def end_fault(self, data: Any) -> None:
        self._type = "fault"

    def end_methodName(self, data: Any) -> None:  # noqa: N802 - the original's name
        self._methodname = data.decode(self._encoding) if self._encoding else data
        self._type = "methodName"  # it may have no params


_NUMBERS = ("i1", "i2", "i4", "i8", "int", "biginteger")
Unmarshaller.dispatch.update(
    {
        **dict.fromkeys(_NUMBERS, Unmarshaller.end_int),
        "array": Unmarshaller.end_array,
        "base64": Unmarshaller.end_base64,
        "bigdecimal": Unmarshaller.end_bigdecimal,
        "boolean": Unmarshaller.end_boolean,
        "dateTime.iso8601": Unmarshaller.end_dateTime,
        "double": Unmarshaller.end_double,
        "fault": Unmarshaller.end_fault,
        "float": Unmarshaller.end_double,
        "methodName": Unmarshaller.end_methodName,
        "name": Unmarshaller.end_string,
        "nil": Unmarshaller.end_nil,
        "params": Unmarshaller.end_params,
        "string": Unmarshaller.end_string,
        "struct": Unmarshaller.end_struct,
        "value": Unmarshaller.end_value,
    }
)


def _moment(text: str) -> datetime:
    try:
        return date_time(text)
    except ValueError:  # the original raises its own words, and takes times without leading zeros
        return datetime.strptime(text, _FORMAT)  # noqa: DTZ007 - XML-RPC's times have no zone


def getparser(use_datetime: bool = False, use_builtin_types: bool = False) -> tuple[Any, Any]:
    """A parser, and the unmarshaller that it tells what it finds; the arguments are the unmarshaller's."""
    if client.FastParser and client.FastUnmarshaller:  # what programs put there is made as the original makes it
        times = _moment if use_datetime or use_builtin_types else _date_time
        target = client.FastUnmarshaller(
            True, False, base64.decodebytes if use_builtin_types else _binary, times, Fault
        )
        return client.FastParser(target), target
    target = client.Unmarshaller(use_datetime=use_datetime, use_builtin_types=use_builtin_types)
    return (client.FastParser or client.ExpatParser)(target), target


def _date_time(text: str) -> DateTime:
    value = DateTime()
    value.decode(text)
    return value


def _binary(text: bytes) -> Binary:
    return Binary(base64.decodebytes(text))


def loads(
    data: str | bytes, use_datetime: bool = False, use_builtin_types: bool = False
) -> tuple[tuple[Any, ...], str | None]:
    """The params of a call and its method's name; of an answer its one value, and None.

    Args:
        data: the XML.
        use_datetime: as of `Unmarshaller`.
        use_builtin_types: as of `Unmarshaller`.

    Raises:
        Fault: it is an answer that is one.
        xml.parsers.expat.ExpatError: it is no well-formed XML.
        ResponseError: it is no XML-RPC, or more than is allowed.
    """
    parser, unmarshaller = getparser(use_datetime=use_datetime, use_builtin_types=use_builtin_types)
    parser.feed(data)
    parser.close()
    return unmarshaller.close(), unmarshaller.getmethodname()
