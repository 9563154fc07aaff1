"""POST /jsonrpc: JSON-RPC 2.0, with batches, notifications and arguments by name.

Rule: what is no JSON-RPC, and each call that fails, is answered by an error of JSON-RPC with status 200, as its peers
expect; only what is wrong with the request of HTTP has a status of HTTP.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from elsewhere.errors import MessageTooLarge
from elsewhere.rpc import codes, dialect
from elsewhere.rpc.serving.methods.results import plain
from elsewhere.rpc.web.body import Bodies, Body, send
from elsewhere.rpc.web.errors import OURS, answered, unsendable
from elsewhere.rpc.web.exchange import Exchange, Traffic, Unpack
from elsewhere.rpc.web.guard import Headers, content_type
from elsewhere.sansio import jsonrpc
from elsewhere.sansio.jsonrpc import ABSENT, Failure, Parts, Request

if TYPE_CHECKING:
    from elsewhere.rpc.serving.engine import Engine

__all__ = ["JSONRPC"]

TYPES = ("application/json", "application/json-rpc", "application/jsonrequest", "+json")
HEADERS = [(b"content-type", b"application/json"), OURS]
AT_ONCE = 64  # calls of a batch that are under way together
SOON = 0.005  # seconds that a batch may run on the loop before others have a turn


class JSONRPC:
    """Answers requests.

    Args:
        engine: of the running service.
        bodies: reads them.
        traffic: counts the notifications that are under way.

    Attributes:
        unpack: see `Exchange`.
    """

    def __init__(self, engine: Engine, bodies: Bodies, traffic: Traffic) -> None:
        self.unpack: Unpack | None = _from_base64
        self._engine = engine
        self._bodies = bodies
        self._traffic = traffic
        self._encode = jsonrpc.encoder(_plain)
        self._notified: set[asyncio.Future[bytes]] = set()

    async def answer(self, headers: Headers, exchange: Exchange, receive: Any, send_: Any) -> None:
        """Answer one request.

        Raises:
            Refused: it is none.
            Gone: the client has gone.
        """
        content_type(headers, TYPES, "application/json")
        try:
            parts = await self._bodies.decoded(headers, receive, self._parsed)
        except Failure as error:
            await send(send_, self._engine, 200, jsonrpc.failure(error), HEADERS, headers)
            return
        if parts.batch:
            found = await self._batch(parts, exchange, receive)
        else:
            found = self._begin(parts.calls[0], exchange)
            if isinstance(found, asyncio.Future):
                found = await exchange.outcome(found, receive)
        exchange.end()
        if found:
            await send(send_, self._engine, 200, found, HEADERS, headers)
        else:
            await send_({"type": "http.response.start", "status": 204, "headers": [OURS]})
            await send_({"type": "http.response.body", "body": b""})

    def _parsed(self, body: Body) -> Parts:
        return jsonrpc.requests(body, calls=self._engine.limits.calls)

    # ---- calls -------------------------------------------------------------------------------------------------------

    def _begin(self, call: Request | Failure, exchange: Exchange) -> Any:
        """The bytes of the answer, or a future of them; nothing for a notification."""
        if isinstance(call, Failure):
            return jsonrpc.failure(call)
        msgid, method, args, kwargs = call
        if msgid is ABSENT:
            return self._notify(method, args, kwargs, exchange)
        if method == dialect.METHODS:
            return self._reply(msgid, method, self._engine.service.methods(), None, True)
        return exchange.start(
            method, args, kwargs, lambda value, error, ran: self._reply(msgid, method, value, error, ran)
        )

    def _notify(self, method: str, args: list[Any], kwargs: dict[str, Any], exchange: Exchange) -> Any:
        """Nobody waits for it, but where there are too many."""
        found = exchange.start(method, args, kwargs, _no_reply, notified=True)
        if not isinstance(found, asyncio.Future) or found.done():
            return b""
        if len(self._notified) >= self._engine.limits.calls:
            return found
        self._traffic.came()
        self._notified.add(found)
        found.add_done_callback(self._traffic.went)
        found.add_done_callback(self._notified.discard)
        return b""

    async def _batch(self, parts: Parts, exchange: Exchange, receive: Any) -> bytes:
        """Begin all of them in their order, a limited number at a time; answer all together."""
        done: list[Any] = []
        waiting: deque[asyncio.Future[bytes]] = deque()
        begun = time.monotonic()
        size, most = 0, self._engine.limits.size
        for call in parts.calls:
            found = self._begin(call, exchange)
            done.append(found)
            if isinstance(found, asyncio.Future):
                waiting.append(found)
                if len(waiting) >= AT_ONCE:
                    size += len(await exchange.outcome(waiting.popleft(), receive))
            else:
                size += len(found)
            if exchange.closed:
                return b""
            if size > most:  # a few bytes can ask for any number of large results
                break
            if time.monotonic() - begun > SOON:
                await asyncio.sleep(0)
                begun = time.monotonic()
        for future in waiting:
            size += len(await exchange.outcome(future, receive))
        answers = [each.result() if isinstance(each, asyncio.Future) else each for each in done]
        found = [each for each in answers if each]
        if size > most:
            text = (
                f"the answer is above the limit of {most:,} bytes after {len(done):,} of {len(parts.calls):,} calls, "
                "which have run; those behind them have not"
            )
            return jsonrpc.failure(Failure(jsonrpc.INTERNAL, text))
        return jsonrpc.batch(found) if found else b""

    # ---- answers -----------------------------------------------------------------------------------------------------

    def _reply(self, msgid: Any, name: str, value: Any, error: BaseException | None, ran: bool) -> bytes:
        if error is None:
            try:
                found = jsonrpc.answer(msgid, value, self._encode)
                if len(found) <= self._engine.limits.size:
                    return found
                text = f"a result of {len(found):,} bytes is above the limit of {self._engine.limits.size:,}"
                raise MessageTooLarge(text, size=len(found), limit=self._engine.limits.size)
            except Exception as failed:  # noqa: BLE001 - a value's own conversion may raise anything
                error = unsendable(failed, name)
        return self._failed(msgid, error, ran)

    def _failed(self, msgid: Any, error: BaseException, ran: bool) -> bytes:
        try:
            data = answered(error, ran, traceback=self._engine.traceback)
            message = data.pop("message")
            return jsonrpc.failure(Failure(codes.CODES[data["kind"]], message, data, msgid), self._encode)
        except Exception:  # noqa: BLE001 - its data, or its own str(), may raise anything
            text = f"{type(error).__name__}, which cannot be sent"
            plainly = {"kind": "error", "type": dialect.type_name(error)}
            return jsonrpc.failure(Failure(codes.CODES["error"], text, plainly, msgid))


def _no_reply(value: Any, error: BaseException | None, ran: bool) -> bytes:
    return b""


def _plain(value: Any) -> Any:
    """As for MessagePack, but that JSON has no bytes."""
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("JSON has no bytes: return base64.b64encode(value).decode(), or call by XML-RPC or MessagePack")
    return plain(value)


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
