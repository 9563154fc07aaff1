"""Python's values as XML: `Marshaller` and `dumps`."""

from __future__ import annotations

import base64
import enum
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar
from xmlrpc.client import MAXINT, MININT, Binary, DateTime, Fault

from elsewhere.sansio.xmlrpc.writing import clean, escaped
from elsewhere.xmlrpc import client  # this package: programs put their own there

__all__ = ["Marshaller", "dumps", "escape"]

Write = Callable[[str], Any]
Dump = Callable[..., Any]
_LONG = 4096  # bytes of binary data from which on it is not broken into lines, which takes long
_INSTANCE: Any = "_arbitrary_instance"  # the original's key for it


def escape(s: str) -> str:
    """The text with ``&``, ``<`` and ``>`` escaped; what else XML needs, `Marshaller` sees to."""
    return s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Marshaller:
    """Writes values as the params of a call or an answer, or a `Fault` as a fault.

    Programs teach it types of their own: ``Marshaller.dispatch[Decimal] = lambda marshaller, value, write: ...``.

    Args:
        encoding: what the text will be encoded with; it changes nothing here.
        allow_none: write None as ``<nil/>``, instead of a TypeError.
    """

    dispatch: ClassVar[dict[type, Dump]] = {}

    def __init__(self, encoding: str | None = None, allow_none: bool = False) -> None:
        self.memo: dict[int, None] = {}
        self.data: object = None
        self.encoding = encoding
        self.allow_none = allow_none

    def dumps(self, values: Any) -> str:
        """The text of these params, or of this `Fault`.

        Raises:
            TypeError: a value has no type that XML-RPC knows.
            OverflowError: a number takes more than 32 bits.
            ValueError: a text holds what XML cannot. Not for the text of a fault, which shows it as an escape.
        """
        out: list[str] = []
        write = out.append
        dump = self.__dump
        if isinstance(values, Fault):
            text = values.faultString
            write("<fault>\n")
            dump({"faultCode": values.faultCode, "faultString": clean(text) if isinstance(text, str) else text}, write)
            write("</fault>\n")
        else:
            write("<params>\n")
            for value in values:
                write("<param>\n")
                dump(value, write)
                write("</param>\n")
            write("</params>\n")
        return "".join(out)

    def __dump(self, value: Any, write: Write) -> None:
        dump = self.dispatch.get(type(value)) or self._other(value)
        dump(self, value, write)

    def _other(self, value: Any) -> Dump:
        """How to write a value of a type that `dispatch` does not have."""
        for kind in type(value).__mro__[1:]:
            if kind in self.dispatch:
                return _as_base(kind, self.dispatch[kind])
        if not hasattr(value, "__dict__") or isinstance(value, enum.Enum | type):
            raise TypeError(f"cannot marshal {type(value)} objects")
        return self.dispatch[_INSTANCE]

    def dump_nil(self, value: None, write: Write) -> None:
        if not self.allow_none:
            raise TypeError("cannot marshal None unless allow_none is enabled")
        write("<value><nil/></value>")

    def dump_bool(self, value: bool, write: Write) -> None:
        write(f"<value><boolean>{1 if value else 0}</boolean></value>\n")

    def dump_long(self, value: int, write: Write) -> None:
        if value > MAXINT or value < MININT:
            raise OverflowError("int exceeds XML-RPC limits")
        write(f"<value><int>{int(value)}</int></value>\n")

    dump_int = dump_long

    def dump_double(self, value: float, write: Write) -> None:
        write(f"<value><double>{value!r}</double></value>\n")

    def dump_unicode(self, value: str, write: Write, escape: Callable[[str], str] = escaped) -> None:
        write(f"<value><string>{escape(value)}</string></value>\n")

    def dump_bytes(self, value: bytes | bytearray, write: Write) -> None:
        data = base64.encodebytes(value) if len(value) < _LONG else b2a_base64(value)
        write(f"<value><base64>\n{data.decode('ascii')}</base64></value>\n")

    def dump_array(self, value: Any, write: Write) -> None:
        self._enter(value, "sequences")
        dump = self.__dump
        write("<value><array><data>\n")
        for item in value:
            dump(item, write)
        write("</data></array></value>\n")
        del self.memo[id(value)]

    def dump_struct(self, value: Mapping[str, Any], write: Write, escape: Callable[[str], str] = escaped) -> None:
        self._enter(value, "dictionaries")
        dump = self.__dump
        write("<value><struct>\n")
        for name, item in value.items():
            if not isinstance(name, str):
                raise TypeError("dictionary key must be string")
            write(f"<member>\n<name>{escape(str.__str__(name))}</name>\n")
            dump(item, write)
            write("</member>\n")
        write("</struct></value>\n")
        del self.memo[id(value)]

    def _enter(self, value: object, kind: str) -> None:
        if id(value) in self.memo:
            raise TypeError(f"cannot marshal recursive {kind}")
        self.memo[id(value)] = None

    def dump_datetime(self, value: datetime, write: Write) -> None:
        self._dump_time(DateTime(value), write)

    def _dump_time(self, value: DateTime, write: Write) -> None:
        write(f"<value><dateTime.iso8601>{escaped(value.value)}</dateTime.iso8601></value>\n")

    def _dump_binary(self, value: Binary, write: Write) -> None:
        self.dump_bytes(value.data, write)

    def dump_instance(self, value: Any, write: Write) -> None:
        if type(value) in client.WRAPPERS:  # a program may have added its own
            self.write = write
            value.encode(self)
            del self.write
        else:
            self.dump_struct(vars(value), write)


Marshaller.dispatch.update(
    {
        type(None): Marshaller.dump_nil,
        bool: Marshaller.dump_bool,
        int: Marshaller.dump_long,
        float: Marshaller.dump_double,
        str: Marshaller.dump_unicode,
        bytes: Marshaller.dump_bytes,
        bytearray: Marshaller.dump_bytes,
        tuple: Marshaller.dump_array,
        list: Marshaller.dump_array,
        dict: Marshaller.dump_struct,
        datetime: Marshaller.dump_datetime,
        DateTime: Marshaller._dump_time,
        Binary: Marshaller._dump_binary,
        _INSTANCE: Marshaller.dump_instance,
    }
)
_BARE: dict[type, Callable[[Any], Any]] = {int: int.__index__, float: float.__pos__, str: str.__str__}


def _as_base(kind: type, dump: Dump) -> Dump:
    """Writes a value of a subclass as what it is a kind of: the original refuses it."""
    bare = _BARE.get(kind)
    if bare is None:
        return dump
    return lambda marshaller, value, write: dump(marshaller, bare(value), write)


def dumps(
    params: tuple[Any, ...] | Fault,
    methodname: str | None = None,
    methodresponse: bool | None = None,
    encoding: str | None = None,
    allow_none: bool = False,
) -> str:
    """The text of a call, of an answer, of a fault, or of params alone.

    Args:
        params: the arguments, or the one value of an answer, or a fault.
        methodname: makes it a call of this method.
        methodresponse: makes it an answer; a fault always is one.
        encoding: which encoding the XML says it has; UTF-8 by default. The text is still to be encoded.
        allow_none: as of `Marshaller`.

    Raises:
        TypeError, OverflowError, ValueError: as `Marshaller.dumps`; the params are no tuple, or an answer has not one.
    """
    if isinstance(params, Fault):
        methodresponse = True
    elif not isinstance(params, tuple):
        raise TypeError("argument must be tuple or Fault instance")
    elif methodresponse and len(params) != 1:
        raise ValueError("response tuple must be a singleton")
    encoding = encoding or "utf-8"
    fast = client.FastMarshaller
    text: str = (fast(encoding) if fast else client.Marshaller(encoding, allow_none)).dumps(params)
    head = "<?xml version='1.0'?>\n" if encoding == "utf-8" else f"<?xml version='1.0' encoding='{encoding}'?>\n"
    if methodname:
        return f"{head}<methodCall>\n<methodName>{escaped(methodname)}</methodName>\n{text}</methodCall>\n"
    if methodresponse:
        return f"{head}<methodResponse>\n{text}</methodResponse>\n"
    return text
