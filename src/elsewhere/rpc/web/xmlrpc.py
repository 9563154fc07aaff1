"""POST /RPC2 and /: XML-RPC, with `system.listMethods`, `methodSignature`, `methodHelp` and `multicall`.

Rule: what is no XML-RPC, and each call that fails, is answered by a fault with status 200, as its peers expect. A
service's own method of a reserved name goes before ours.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from elsewhere.errors import MessageTooLarge
from elsewhere.rpc import codes, dialect
from elsewhere.rpc.serving.methods.results import plain
from elsewhere.rpc.web.body import Bodies, Body, send
from elsewhere.rpc.web.errors import OURS, answered, unsendable
from elsewhere.rpc.web.exchange import Exchange, Reply, Unpack
from elsewhere.rpc.web.guard import Headers, content_type
from elsewhere.rpc.web.introspection import signatures
from elsewhere.sansio import xmlrpc
from elsewhere.sansio.xmlrpc import Fault, Limits, Malformed

if TYPE_CHECKING:
    from elsewhere.rpc.serving.engine import Engine

__all__ = ["XMLRPC"]

TYPES = ("text/xml", "application/xml", "+xml")
HEADERS = [(b"content-type", b"text/xml; charset=utf-8"), OURS]
LIST, SIGNATURE, HELP = "system.listMethods", "system.methodSignature", "system.methodHelp"
SYSTEM = (LIST, HELP, SIGNATURE, xmlrpc.MULTICALL)


class XMLRPC:
    """Answers requests.

    Args:
        engine: of the running service.
        bodies: reads them.

    Attributes:
        unpack: see `Exchange`: XML-RPC has bytes.
    """

    def __init__(self, engine: Engine, bodies: Bodies) -> None:
        self.unpack: Unpack | None = None
        self._engine = engine
        self._bodies = bodies
        self._limits = Limits(size=engine.limits.size)

    async def answer(self, headers: Headers, exchange: Exchange, receive: Any, send_: Any) -> None:
        """Answer one request.

        Raises:
            Refused: it is none.
            Gone: the client has gone.
        """
        content_type(headers, TYPES, "text/xml")
        try:
            name, params = await self._bodies.decoded(headers, receive, self._parsed)
        except Malformed as error:
            found = xmlrpc.fault(error.code, str(error))
        except MessageTooLarge as error:
            found = xmlrpc.fault(xmlrpc.INVALID, str(error))
        else:
            found = await self._called(name, params, exchange, receive)
        exchange.end()
        await send(send_, self._engine, 200, found, HEADERS, headers)

    def _parsed(self, body: Body) -> tuple[str, list[Any]]:
        return xmlrpc.parse_call(body, self._limits)

    async def _called(self, name: str, params: list[Any], exchange: Exchange, receive: Any) -> bytes:
        def reply(value: Any, error: BaseException | None, ran: bool) -> bytes:
            return self._reply(name, value, error, ran)

        if name == xmlrpc.MULTICALL and name not in self._engine.methods:
            try:
                calls = xmlrpc.parse_batch(params)
            except Fault as fault:
                return xmlrpc.fault(fault.code, fault.text)
            return await self._batch(calls, exchange, receive)
        found = self._begin(name, params, exchange, reply)
        if isinstance(found, asyncio.Future):
            found = await exchange.outcome(found, receive)
        return bytes(found)

    def _begin(self, name: str, params: list[Any], exchange: Exchange, reply: Reply) -> Any:
        """What `reply` makes, or a future of it."""
        ours = name.startswith(("system.", dialect.RESERVED)) and name != dialect.CALL
        if name in self._engine.methods or not ours:
            return exchange.start(name, params, {}, reply)
        try:
            value = self._system(name, params)
        except Fault as fault:
            return reply(None, fault, False)
        return reply(value, None, True)

    def _system(self, name: str, params: list[Any]) -> Any:
        methods = self._engine.methods
        if name == dialect.METHODS:
            return self._engine.service.methods()
        if name == LIST:
            return sorted({*methods, *SYSTEM})
        if name not in {SIGNATURE, HELP}:
            raise Fault(xmlrpc.METHOD_NOT_FOUND, f"{name!r:.200} method not found")
        if len(params) != 1 or type(params[0]) is not str:
            raise Fault(xmlrpc.PARAMS, f"{name} takes the name of a method, a string")
        method = methods.get(params[0])
        if method is not None:
            return method.doc if name == HELP else signatures(method)
        if params[0] in SYSTEM:
            return "" if name == HELP else "undef"
        raise Fault(xmlrpc.METHOD_NOT_FOUND, f"{params[0]!r:.200} method not found")

    async def _batch(self, calls: list[tuple[str, list[Any]] | Fault], exchange: Exchange, receive: Any) -> bytes:
        """One after the other, as everybody does it: the next may build on what the one before has done."""
        outcomes: list[bytes] = []
        size, most = 0, self._engine.limits.size
        if len(calls) > self._engine.limits.calls:
            text = f"{xmlrpc.MULTICALL} of {len(calls):,} calls is above the limit of {self._engine.limits.calls:,}"
            return xmlrpc.fault(xmlrpc.INVALID, text)
        for call in calls:
            if isinstance(call, Fault):
                found: Any = xmlrpc.batch_fault(call.code, call.text)
            else:
                found = self._begin(*call, exchange, partial(self._outcome, call[0]))
                if isinstance(found, asyncio.Future):
                    found = await exchange.outcome(found, receive)
                else:
                    await asyncio.sleep(0)  # others have a turn
            if exchange.closed:
                return b""
            outcomes.append(found)
            size += len(found)
            if size > most:  # a few bytes can ask for any number of large results
                text = (
                    f"the answer to {xmlrpc.MULTICALL} is above the limit of {most:,} bytes after {len(outcomes):,} of "
                    f"{len(calls):,} calls, which have run; those behind them have not"
                )
                return xmlrpc.fault(xmlrpc.INTERNAL, text)
        return xmlrpc.batch_body(outcomes)

    # ---- answers -----------------------------------------------------------------------------------------------------

    def _reply(self, name: str, value: Any, error: BaseException | None, ran: bool) -> bytes:
        if error is None:
            try:
                return xmlrpc.answer(value, limits=self._limits, default=plain)
            except Exception as failed:  # noqa: BLE001 - a value's own conversion may raise anything
                error = unsendable(failed, name)
        fault = self._fault(error, ran)
        return xmlrpc.fault(fault.code, fault.text)

    def _outcome(self, name: str, value: Any, error: BaseException | None, ran: bool) -> bytes:
        """As `_reply`, for one of many calls."""
        if error is None:
            try:
                return xmlrpc.batch_outcome(value, limits=self._limits, default=plain)
            except Exception as failed:  # noqa: BLE001 - a value's own conversion may raise anything
                error = unsendable(failed, name)
        fault = self._fault(error, ran)
        return xmlrpc.batch_fault(fault.code, fault.text)

    def _fault(self, error: BaseException, ran: bool) -> Fault:
        """The fault for an error; one that a method raises as a fault of its own has its own code."""
        try:
            if isinstance(error, Fault):
                return error
            code, text = getattr(error, "faultCode", None), getattr(error, "faultString", None)
            if type(code) is int and type(text) is str:
                return Fault(code, text)
            kind = answered(error, ran, traceback=False)["kind"]
            return Fault(codes.CODES[kind], dialect.plainly(error))
        except Exception:  # noqa: BLE001 - its own str() may raise anything
            return Fault(codes.CODES["error"], f"{type(error).__name__}, which cannot be sent")
