"""MessagePack-RPC: bytes in, messages out, and the other way round.

::

    request   [0, msgid, method, params]      msgid from 0 to 2^32 - 1, method a str, params an array
    response  [1, msgid, error, result]       error nil: the result counts
    notify    [2, method, params]             nobody answers

Specification: https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md. There is no framing: messages follow each
other on the stream, and may be cut anywhere.

Rule: what is no message ends the connection, before anything that follows it is looked at: `Wire.broken` says why.
Whoever speaks something else (a browser that was made to POST here) gets nothing run. Nobody can guess where the next
message would begin, and after a failed decoding the codec itself cannot.

Peers that speak the specification of before 2013 have no bin: str and bytes are one type to them (`old_raw`). A str
that is no UTF-8 arrives with surrogate escapes, and leaves as the same bytes: Neovim and C++ send such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgpack

from elsewhere.errors import MessageTooLarge
from elsewhere.sansio.claims import HEAD, Count, claimed
from elsewhere.sansio.large import LARGE, Tail, in_pieces

__all__ = ["NOTIFY", "REQUEST", "RESPONSE", "Message", "Wire"]

REQUEST, RESPONSE, NOTIFY = 0, 1, 2
LAST_ID = 2**32 - 1  # rpclib's servers abort on 2^32
LIMIT = 64 << 20  # bytes of a message
CARRIES = "MessagePack carries None, bool, int of 64 bits, float, str, bytes, list, tuple and dict"
HTTP = "that is HTTP, and an address of HTTP begins with http://"
ITEMS = 1 << 20  # of an array or a map: the codec makes room for as many as a header claims
SPARES = 4  # decoders that are kept for connections that have something to say
# Bytes of a message above which its arrays and maps are counted, as empty ones take 70 times their room in memory.
CAREFUL = 1 << 20
IN_ALL = 2  # times as many of them as one may hold are allowed in such a message
BUFFER = 16 << 10  # bytes that the codec begins with, instead of a megabyte for each connection; it grows as it must
# What the codec raises of bytes that it cannot take. Not every Exception: a signal's handler may raise in here.
WRONG = (ValueError, TypeError, OverflowError, MemoryError, RecursionError, msgpack.exceptions.UnpackException)

Message = list[Any]  # as it was decoded; checked, and its method is a str


class Wire:
    """One side of one connection.

    One thread at a time may `feed`, and one at a time call the methods that pack; these two may be different ones.

    Args:
        limit: bytes of the largest message, both ways.
        items: the most that an array or a map of a message may hold; of a large message, also half of how many arrays
            and maps it may have in all.
        old_raw: pack str and bytes as one type, and unpack what is no UTF-8 as bytes.
        raw: unpack each str as bytes (True), or as a str in any case (False); None: as `old_raw` says.
        escape: the error handler for a str that is no UTF-8; as in `bytes.decode`.
        spare: holds decoders that are not in use, for all wires with these very limits: one takes 60 kB.
        default: makes something that can be packed from what cannot; as in `msgpack.Packer`.

    Attributes:
        broken: why the connection is to be ended; "" while it is well.
        too_large: the size of a message above the limit, as far as known, which is why; else 0.
        missing: bytes that the message under way still lacks, at least: what to make room for.
        exact: bytes that it lacks, if that is known and they are one large value: who reads just so many at once has
            them copied least. Else 0.
        pending: what `request` was given for each request that was not answered yet, by msgid.
    """

    __slots__ = (
        "_begun", "_came", "_count", "_default", "_escape", "_fed", "_guess", "_head", "_id", "_items", "_old_raw",
        "_packer", "_raw", "_spare", "_tail", "_unpacker",
        "broken", "exact", "limit", "missing", "pending", "too_large",
    )  # fmt: skip

    def __init__(
        self,
        *,
        limit: int = LIMIT,
        items: int = ITEMS,
        old_raw: bool = False,
        raw: bool | None = None,
        escape: str = "surrogateescape",
        default: Callable[[Any], Any] | None = None,
        spare: list[Any] | None = None,
    ) -> None:
        self.limit = limit
        self.broken = ""
        self.too_large = self.missing = self.exact = 0
        self.pending: dict[int, Any] = {}
        self._old_raw = old_raw
        self._raw = old_raw if raw is None else raw
        self._escape = escape
        self._guess = old_raw and raw is None
        self._items = items
        self._default = default
        self._spare = spare
        self._fed = self._begun = self._id = 0
        self._head = b""  # of the message under way
        self._came: list[bytes] = []  # all that has come of it, while it is not counted
        self._count: Count | None = None  # of its arrays and maps, if it is large
        self._tail: Tail | None = None
        self._packer: Any = None  # both are made when they are needed: an idle connection has none
        self._unpacker: Any = None

    def _make_unpacker(self) -> Any:
        if self._spare:
            try:
                self._unpacker = self._spare.pop()
            except IndexError:  # another thread has just taken it
                pass
            else:
                self._fed = self._begun = self._unpacker.tell()  # it counts on
                return self._unpacker
        return self._new_unpacker()

    def _new_unpacker(self, **hooks: Any) -> Any:
        limit = self.limit
        self._fed = self._begun = 0
        self._unpacker = msgpack.Unpacker(
            raw=self._raw,
            unicode_errors=self._escape,
            strict_map_key=False,  # such an error would lose the place in the stream
            read_size=BUFFER,
            max_buffer_size=2**31 - 1,  # `feed` looks at the size itself: here a burst of small messages would count
            max_str_len=limit,
            max_bin_len=limit,
            max_ext_len=limit,
            max_array_len=min(self._items, limit),
            max_map_len=min(self._items, limit),
            **hooks,
        )
        return self._unpacker

    def _counted(self) -> tuple[Any, Any]:
        """A codec that counts, and knows what has come of the message under way; and its messages."""
        if self._count is None:
            self._count = Count(IN_ALL * self._items)
            unpacker = self._new_unpacker(list_hook=self._count, object_hook=self._count)
            for data in self._came:
                unpacker.feed(data)
                self._fed += len(data)
            self._came = []
        return self._unpacker, self._count.each(self._unpacker)

    def _make_packer(self) -> Any:
        self._packer = msgpack.Packer(
            default=self._default, use_bin_type=not self._old_raw, unicode_errors="surrogateescape", buf_size=BUFFER
        )
        return self._packer

    def rest(self) -> None:
        """Give back the memory that only a busy connection needs; nothing that came is lost."""
        self._packer = None
        unpacker = self._unpacker
        if unpacker is not None and self._fed == self._begun and self._tail is None and not self.broken:
            self._unpacker = None
            if self._spare is not None and len(self._spare) < SPARES:
                self._spare.append(unpacker)

    # ---- in ----------------------------------------------------------------------------------------------------------

    def feed(self, data: bytes | bytearray | memoryview) -> list[Message]:
        """The messages that are whole now, in their order; once `broken` is set, none any more."""
        if self.broken:
            return []
        if self._tail is not None:
            return self._feed_tail(self._tail, data)
        found: list[Message] = []
        if self._count is None and len(data) <= CAREFUL:
            unpacker = messages = self._unpacker or self._make_unpacker()
        else:
            unpacker, messages = self._counted()
        tell, guess = unpacker.tell, self._guess
        try:
            unpacker.feed(data)
            for message in messages:
                usual = type(message) is list and len(message) == 4  # as nearly all are: nothing else to look at
                if usual:
                    kind, msgid, method, params = message
                    usual = (  # `is`, as True and 1.0 are equal to 1; where it is False of an int, no harm is done
                        (kind is RESPONSE or (kind is REQUEST and type(params) is list and type(method) is str))
                        and type(msgid) is int
                        and 0 <= msgid <= LAST_ID
                    )
                if guess or not usual:
                    problem = self._problem(message)
                    if problem:
                        self.broken = HTTP if bytes(data[:5]) == b"HTTP/" else problem
                        return found
                found.append(message)
                self._begun = tell()  # later it also counts what it has looked at of the next
        except WRONG as error:
            self._undecodable(error)
            return found
        self._fed += len(data)
        waiting = self._fed - self._begun
        if waiting:
            self._measure(data, waiting)
        else:
            self.missing = 0
            self._head = b""
            if self._count is not None:
                self._start_anew()
            elif self._came:
                self._came = []
        return found

    def _feed_tail(self, tail: Tail, data: bytes | bytearray | memoryview) -> list[Message]:
        """`feed`, while the last value of a message comes."""
        behind = tail.feed(data)
        self.missing = self.exact = tail.missing
        if tail.missing:
            return []
        self._tail = None
        found = self.feed(tail.front)
        if not found:  # it is no message, or more than an array may hold
            return found
        tail.complete(found[0])
        return [*found, *self.feed(behind)] if len(behind) else found

    def _measure(self, data: bytes | bytearray | memoryview, waiting: int) -> None:
        """So many bytes of a message have come; how many will it have?"""
        fresh = min(waiting, len(data))
        begun = waiting - fresh  # bytes that had come before
        if not begun:
            self._head = bytes(data[len(data) - fresh : len(data) - fresh + HEAD])
        elif begun < HEAD:
            self._head += bytes(data[: HEAD - begun])
        if self._count is None:
            if not begun:
                self._came = []
            self._came.append(bytes(data[len(data) - fresh :]))
        size = max(waiting, claimed(self._head))
        self.missing = max(1, size - waiting)
        if size > self.limit:
            self.too_large = size
            self.broken = f"a message of {size:,} bytes or more is above the limit of {self.limit:,}"
        elif self.missing >= LARGE and not self._raw:
            self._tail = Tail.of(self._head, data, waiting)
            if self._tail is not None:  # a new codec, which knows nothing of it, decodes the rest in the end
                self.exact = self.missing
                self._start_anew()
                return
        if size > CAREFUL and self._count is None and not self.broken:
            try:
                next(self._counted()[1], None)  # it is not whole: this counts what has come
            except WRONG as error:
                self._undecodable(error)

    def _start_anew(self) -> None:
        """The next message finds a codec as if it was the first."""
        self._unpacker = self._count = None
        self._fed = self._begun = 0
        self._head = b""
        self._came = []

    def _problem(self, message: Any) -> str:
        """What is wrong with it; decodes its method."""
        if type(message) is not list or len(message) not in {3, 4}:
            return f"{_kind(message)} is no message of MessagePack-RPC"
        kind = message[0]
        if type(kind) is not int or kind not in {REQUEST, RESPONSE, NOTIFY} or len(message) != 4 - (kind == NOTIFY):
            return f"an array of {len(message)} that begins with {_kind(kind)} is no message of MessagePack-RPC"
        if kind != NOTIFY and (type(message[1]) is not int or not 0 <= message[1] <= LAST_ID):
            return f"{_kind(message[1])} is no msgid, a number from 0 to 2^32 - 1"
        if self._guess:
            message[:] = [_text(part) for part in message]
        if kind == RESPONSE:
            return ""
        at = 1 if kind == NOTIFY else 2
        if type(message[at]) is bytes:  # pynvim sends its first so
            message[at] = message[at].decode("utf-8", "surrogateescape")
        if type(message[at]) is not str:
            return f"{_kind(message[at])} is no name of a method"
        if type(message[at + 1]) is not list:
            return f"{_kind(message[at + 1])} are no params, which are an array"
        return ""

    def _undecodable(self, error: Exception) -> None:
        text = str(error)
        if "exceeds max_" in text:
            first = text.split(" ", maxsplit=1)[0]
            self.too_large = int(first) if first.isdigit() else self.limit + 1
            self.broken = f"a message holds more than is allowed: {text}"
        elif isinstance(error, msgpack.exceptions.StackError):
            self.broken = "a message is nested too deeply"
        else:
            self.broken = f"what came is no MessagePack: {text or type(error).__name__}"

    # ---- out ---------------------------------------------------------------------------------------------------------

    def request(self, method: str, params: Any, slot: Any) -> tuple[int, bytes]:
        """The msgid and the bytes of a request; `slot` is kept in `pending` for its answer.

        Raises:
            TypeError, ValueError, OverflowError: the params cannot be packed.
            MessageTooLarge: it is above the limit.
        """
        msgid, pending = self._id, self.pending
        while True:
            msgid = msgid + 1 if msgid < LAST_ID else 1
            if msgid not in pending:
                break
        packer = self._packer or self._make_packer()
        try:
            data: bytes = packer.pack((REQUEST, msgid, method, params))
        except BaseException as error:
            self._unpackable(packer, error)
            raise
        if len(data) > self.limit:
            self._check_size(len(data))
        self._id = msgid
        pending[msgid] = slot
        return msgid, data

    def request_in_pieces(self, method: str, params: Sequence[Any], slot: Any) -> tuple[int, list[bytes]]:
        """As `request`, for params some of which are large; those are pieces themselves, so they must be left alone."""
        packer = self._packer or self._make_packer()
        msgid, _ = self.request(method, (), slot)
        try:
            mark = b"\xdb" if self._old_raw else b"\xc6"
            pieces = in_pieces(packer.pack, (REQUEST, msgid, method), params, mark)
            self._check_size(sum(map(len, pieces)))
        except BaseException:
            self.pending.pop(msgid, None)
            packer.reset()
            raise
        return msgid, pieces

    def response(self, msgid: int, error: Any, result: Any) -> bytes:
        """The bytes of an answer; raises as `request` does."""
        return self._packed([RESPONSE, msgid, error, result])

    def notify(self, method: str, params: Any) -> bytes:
        """The bytes of a notification; raises as `request` does."""
        return self._packed([NOTIFY, method, params])

    def _packed(self, message: Message) -> bytes:
        packer = self._packer or self._make_packer()
        try:
            data: bytes = packer.pack(message)
        except BaseException as error:
            self._unpackable(packer, error)
            raise
        if len(data) > self.limit:
            self._check_size(len(data))
        return data

    def _unpackable(self, packer: Any, error: BaseException) -> None:
        packer.reset()  # else the half that was packed would go with the next
        if type(error) in {TypeError, OverflowError, ValueError}:
            raise type(error)(f"{error}: {CARRIES}") from None

    def _check_size(self, size: int) -> None:
        if size > self.limit:
            raise MessageTooLarge(
                f"a message of {size:,} bytes is above the limit of {self.limit:,} on this side, and was not sent",
                size=size,
                limit=self.limit,
            )


def _text(value: Any) -> Any:
    """With the old specification: each raw that is UTF-8 as a str."""
    if type(value) is bytes:
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if type(value) is list:
        return [_text(part) for part in value]
    if type(value) is dict:
        return {_text(key): _text(part) for key, part in value.items()}
    return value


def _kind(value: Any) -> str:
    """What it is, without showing what a stranger has sent."""
    if value is None or type(value) in {bool, int}:
        return f"the value {value!r}"
    return f"a value of type {type(value).__name__}"
