"""The ASGI application of a service: which path is answered by whom.

::

    POST /jsonrpc       JSON-RPC 2.0
    POST /RPC2, /       XML-RPC
    GET  /, /page/...   the page, where it is wanted

Rule: a request passes the guard before anything else; what is turned away is answered in one sentence of plain text.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from starlette.routing import Route, Router

from elsewhere.errors import NeverStarted
from elsewhere.rpc import codes
from elsewhere.rpc.serving.arrivals import label_of
from elsewhere.rpc.serving.server import DRAIN, check_drain
from elsewhere.rpc.web.body import Bodies, Gone, aside, send, send_refusal
from elsewhere.rpc.web.errors import OURS
from elsewhere.rpc.web.exchange import Exchange, Traffic, Unpack
from elsewhere.rpc.web.guard import WHERE, Guard, Headers, Refused
from elsewhere.rpc.web.jsonrpc import JSONRPC
from elsewhere.rpc.web.xmlrpc import XMLRPC

if TYPE_CHECKING:
    from elsewhere.rpc.serving.engine import Engine

__all__ = ["App", "Mounted"]

_log = logging.getLogger("elsewhere.rpc")
TIMEOUT = codes.TIMEOUT.lower().encode()
LONGEST = 1e9  # seconds of a time limit that is one

Scope = Any
Handler = Callable[[Scope, Any, Any], Awaitable[None]]


class Speaks(Protocol):
    """What answers a body."""

    unpack: Unpack | None

    async def answer(self, headers: Headers, exchange: Exchange, receive: Any, send_: Any) -> None:
        """Answer one request."""


class App:
    """Answers requests of HTTP.

    Args:
        engine: of the running service.
        bound: hosts of the addresses that are listened at.
        page: show the page.

    Attributes:
        traffic: requests and notifications that are under way.
    """

    def __init__(self, engine: Engine, bound: Iterable[str], *, page: bool) -> None:
        self._engine = engine
        self.traffic = Traffic()
        self._guard = Guard(bound, engine.service._allowed_hosts, engine.token)
        bodies = Bodies(engine.limits.size, engine)
        self._page = _page(engine) if page else None
        self._posted_xml = self._posted(XMLRPC(engine, bodies))
        self._paths: dict[str, Handler] = {
            "/jsonrpc": self._posted(JSONRPC(engine, bodies, self.traffic)),
            "/RPC2": self._posted_xml,
            "/": self._root,
        }
        if self._page is not None:
            self._paths = {**dict.fromkeys(self._page.paths, self._shown), **self._paths}
        routes = [Route(path, _Endpoint(handle)) for path, handle in self._paths.items()]
        self._router = Router(routes, redirect_slashes=False, lifespan=self._lifespan)

    async def __call__(self, scope: Scope, receive: Any, send_: Any) -> None:
        """As ASGI wants it."""
        handle = None if scope.get("root_path") else self._paths.get(scope.get("path", ""))
        if handle is not None and scope["type"] == "http":
            await handle(scope, receive, send_)  # what the router would do, after a while
        else:
            await self._router(scope, receive, send_)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Any) -> AsyncIterator[None]:
        yield

    # ---- requests ----------------------------------------------------------------------------------------------------

    def _posted(self, speaks: Speaks) -> Handler:
        async def answer(scope: Scope, receive: Any, send_: Any) -> None:
            client = scope.get("client")
            self.traffic.came()
            label = label_of(scope["scheme"], client) if client else "a client over HTTP"
            try:
                headers = self._guard.admit(scope)
                if scope["method"] != "POST":
                    raise Refused(405, f"this path is posted to: {WHERE}", [(b"allow", b"POST")])
                exchange = Exchange(self._engine, label, _limit(headers), speaks.unpack)
                await speaks.answer(headers, exchange, receive, send_)
            except Refused as refused:
                _log.debug("%s is turned away: %s", label, refused)
                await send_refusal(receive, send_, refused)
            except NeverStarted as error:  # it has ended
                await send_refusal(receive, send_, Refused(503, str(error)))
            except Gone:
                _log.debug("%s has gone", label)
            except asyncio.CancelledError:
                if not self._engine.closing:
                    raise
                _log.debug("%s has no answer: the service has ended", label)  # which uvicorn would call a bug
            finally:
                self.traffic.went()

        return answer

    async def _root(self, scope: Scope, receive: Any, send_: Any) -> None:
        if scope["method"] == "POST":
            await self._posted_xml(scope, receive, send_)
        else:
            await self._shown(scope, receive, send_)

    async def _shown(self, scope: Scope, receive: Any, send_: Any) -> None:
        """The page, and what belongs to it."""
        page = self._page
        try:
            headers = self._guard.admit(scope)
            if page is None or scope["method"] not in {"GET", "HEAD"}:
                allow = b"POST" if page is None else b"GET, HEAD, POST"
                raise Refused(405, f"here is a service without a page: {WHERE}", [(b"allow", allow)])
        except Refused as refused:
            await send_refusal(receive, send_, refused)
            return
        root = scope.get("root_path", "")
        path = scope["path"].removeprefix(root) or "/"
        seen = headers.get(b"if-none-match", b"").decode("latin-1") or None
        if path in {page.FIGURES, "/"}:  # one may have to wait for other processes, one has to be made
            found = await aside(self._engine.aside, lambda: page.answer(path, root=root, seen=seen))
        else:
            found = page.answer(path, root=root, seen=seen)
        out = [(name.encode(), value.encode()) for name, value in found.headers]
        await send(send_, self._engine, found.status, found.body, [*out, OURS], headers)


class _Endpoint:
    """Starlette takes a function for one of a request, and an object for an application."""

    def __init__(self, handle: Handler) -> None:
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Any, send_: Any) -> None:
        await self._handle(scope, receive, send_)


def _page(engine: Engine) -> Any:
    from elsewhere.rpc.page import Page

    return Page(engine.service, lambda: engine.service._statistics(engine.others()))


def _limit(headers: Headers) -> float | None:
    """Seconds that each call may take, as one of our own clients says; None for what is no number."""
    given = headers.get(TIMEOUT)
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and 0 < seconds <= LONGEST else None


class Mounted(App):
    """The application that `Service.asgi` gives: it has an engine of its own, and no connections.

    It ends with the server that it is mounted in, where that says so to what is mounted; `close` ends it, too, and so
    does the service's own.
    """

    def __init__(self, engine: Engine, *, page: bool) -> None:
        super().__init__(engine, (), page=page)
        engine.service._servers.append(self)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Any) -> AsyncIterator[None]:
        yield
        await aside(self._engine.aside, lambda: self.close(0.0))

    def close(self, drain: float = DRAIN) -> None:
        """Begin no more calls, let those that run end, and end the threads and processes that were started.

        Args:
            drain: seconds for them. Do not wait for them on the loop that they run on.
        """
        check_drain(drain)
        engine = self._engine
        engine.closing = True
        self.traffic.drain(drain)
        with contextlib.suppress(ValueError):
            engine.service._servers.remove(self)
        engine.end()

    def told(self) -> list[dict[str, list[Any]]]:
        """Nothing was called in other processes."""
        return []
