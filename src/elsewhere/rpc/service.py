"""`Service`: functions behind an address.

Rule: a service checks what it is given and knows what can be called; how connections are served is the business of
`serving`.
"""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from elsewhere.rpc.serving.engine import Limits
from elsewhere.rpc.serving.methods.registry import MethodStatistics, Registry, is_pythons, merged, public_methods
from elsewhere.rpc.serving.server import DRAIN, Running, Server, check_drain
from elsewhere.transport.address import Address
from elsewhere.transport.tls import TLS

if TYPE_CHECKING:
    from elsewhere.rpc.web.app import Mounted

__all__ = ["Service"]

F = TypeVar("F", bound=Callable[..., Any])


class Service:
    """Methods that peers may call, over MessagePack-RPC, JSON-RPC and XML-RPC.

    Args:
        obj: its public methods are registered, or a module's public functions; None for none. Public is what has no
            leading underscore and is not inherited from `object`.
        name: what it is called in logs and to peers; "" by default, or the class's name.
        pool: a `Pool` for methods with ``where="processes"``; it stays the caller's. None: one is made when it is
            first needed.
        token: what peers must send before anything is answered; text or bytes. It never shows. Over HTTP it is a bearer
            token, or the password of any user.
        traceback: errors carry the traceback of the method to peers of our own. It shows source lines and paths.
        where: where methods run that say nothing: see `register`.
        max_connections: at once; more are turned away.
        max_size: bytes of a message, both ways.
        max_calls: that one connection may have under way; nothing more is read from it meanwhile.
        max_threads: that run methods with ``where="threads"``.
        idle_timeout: seconds without a word or a call after which a connection is closed; None for never.
        handshake_timeout: seconds for TLS's handshake and the token.
        send_timeout: seconds after which a peer that does not read its answers is dropped.
        page: show a page in the browser at ``http://`` addresses, from which everything can be called. None: where
            only this machine can reach it, or a token or a client certificate is needed.
        allowed_hosts: names, as ``"rpc.example.com"``, ``"*.example.com"`` or ``"*"``, by which it may be called over
            HTTP, besides those that it listens at, ``localhost`` and IP addresses. A browser's requests to others are
            turned away: their owners could let them point here.

    Example::

        service = Service()


        @service.method
        def double(n: int) -> int:
            return 2 * n


        service.serve("tcp://localhost:6789")

    Annotations are the schema: arguments are checked and converted before a method runs. What MessagePack cannot hold
    is converted in results: dataclasses become maps, sets and tuples arrays, dates, `Decimal`, `UUID` and `Path` text,
    NumPy's arrays lists.

    Raises:
        ValueError, TypeError: an argument is not what is described here.
    """

    def __init__(
        self,
        obj: Any = None,
        *,
        name: str | None = None,
        pool: Any = None,
        token: str | bytes | None = None,
        traceback: bool = False,
        where: Any = None,
        max_connections: int = 10_000,
        max_size: int = 64 << 20,
        max_calls: int = 1000,
        max_threads: int = 64,
        idle_timeout: float | None = None,
        handshake_timeout: float = 10.0,
        send_timeout: float = 30.0,
        page: bool | None = None,
        allowed_hosts: Iterable[str] = (),
    ) -> None:
        if pool is not None and not (hasattr(pool, "submit") and hasattr(pool, "options")):
            raise TypeError(f"pool is an elsewhere Pool, not {pool!r}")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name is a str, not {name!r}")
        self._registry = Registry()
        self._methods: list[dict[str, Any]] = []
        self._pool = pool
        self._pool_size: int | None = None
        self._token = _token(token)
        self._traceback = bool(traceback)
        self._where = where
        self._page = None if page is None else bool(page)
        self._allowed_hosts = _hosts(allowed_hosts)
        self._servers: list[Any] = []  # of Running, and of applications
        self._limits = Limits(
            connections=_count("max_connections", max_connections),
            size=_count("max_size", max_size),
            calls=_count("max_calls", max_calls),
            threads=_count("max_threads", max_threads),
            idle=None if idle_timeout is None else _seconds("idle_timeout", idle_timeout),
            handshake=_seconds("handshake_timeout", handshake_timeout),
            send=_seconds("send_timeout", send_timeout),
        )
        self.name = name if name is not None else _name_of(obj)
        if obj is not None:
            self.add(obj)

    # ---- what can be called ------------------------------------------------------------------------------------------

    @overload
    def method(self, fn: F, /) -> F: ...

    @overload
    def method(
        self, /, *, name: str | None = None, where: Any = None, timeout: float | None = None, idempotent: bool = False
    ) -> Callable[[F], F]: ...

    def method(self, fn: Any = None, /, **options: Any) -> Any:
        """Register a function, as a decorator with or without the options of `register`. It stays as it is."""
        if fn is not None:
            if options:
                raise TypeError("options of @service.method(...) are given by keywords alone")
            self.register(fn)
            return fn
        unknown = options.keys() - {"name", "where", "timeout", "idempotent"}
        if unknown:
            raise TypeError(
                f"@service.method() takes name, where, timeout and idempotent, not {', '.join(sorted(unknown))}"
            )

        def decorate(fn: Any) -> Any:
            self.register(fn, **options)
            return fn

        return decorate

    def register(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        *,
        where: Any = None,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> None:
        """Let peers call a function.

        Args:
            fn: a function, a bound method, a coroutine function.
            name: what peers call; the function's own name by default. It may have dots.
            where: ``"threads"`` (the default) for what waits; ``"loop"`` for coroutine functions (their default) and
                plain functions that are quick; ``"processes"``, or a `Pool`, for what computes.
            timeout: seconds a call may take; None for what its caller says. A thread cannot be stopped: its caller has
                a `CallTimeout` in time, and the method may look at ``caller().gone``.
            idempotent: a call may be repeated without harm: clients then repeat one whose connection broke.

        Raises:
            ValueError: there is a method of that name, or it is one that is not allowed, or where is no place.
            TypeError: it cannot be called, or a parameter is annotated with what MessagePack cannot become.
        """
        where = self._where if where is None else where
        self._registry.add(fn, name, where=where, timeout=timeout, idempotent=idempotent)

    def add(self, obj: Any, prefix: str = "", *, where: Any = None) -> None:
        """Register the public methods of an object, or the public functions of a module, under ``prefix + name``.

        Args:
            obj: the object or module; a function is registered as `register` does it.
            prefix: such as ``"files."``; nothing by default.
            where: where they run that say nothing themselves; see `register`.

        Raises:
            TypeError: it is a class: peers call methods of an object; or it has only those of a type of Python's own,
                as a number or a text has.
            ValueError: it has none; and as `register`.
        """
        if isinstance(obj, type):
            raise TypeError(f"{obj.__qualname__} is a class, and a service needs an object: {obj.__qualname__}()")
        if isinstance(obj, types.FunctionType | types.BuiltinFunctionType | types.MethodType):
            self.register(obj, where=where)
            return
        found = list(public_methods(obj))
        if not found:
            raise ValueError(f"{obj!r} has no public methods to serve")
        if all(is_pythons(type(obj), name) for name, _ in found) and not isinstance(obj, types.ModuleType):
            raise TypeError(
                f"{obj!r:.60} has no methods of its own: serve an object that has some, a module or a function"
            )
        for name, fn in found:
            self.register(fn, prefix + name, where=where)

    def methods(self) -> list[dict[str, Any]]:
        """Name, signature, doc and idempotence of each method, as peers are told."""
        return [method.described() for method in self._registry.methods.values()]

    def statistics(self) -> dict[str, MethodStatistics]:
        """What each method has done so far, by name; in all the processes that serve now."""
        return self._statistics([])

    def _statistics(self, told: list[dict[str, list[Any]]]) -> dict[str, MethodStatistics]:
        """As `statistics`, with what yet other processes tell."""
        others = [server.told() for server in list(self._servers)]
        return merged([self._told(), *told, *(each for told in others for each in told)])

    def _told(self) -> dict[str, list[Any]]:
        return {name: method.told() for name, method in list(self._registry.methods.items())}

    # ---- serving -----------------------------------------------------------------------------------------------------

    def start(
        self, *addresses: str | Address, tls: TLS | None = None, insecure: bool = False, workers: int = 1
    ) -> Running:
        """Serve in the background.

        Args:
            addresses: where to listen: ``tcp://``, ``tls://`` and ``unix://`` for MessagePack-RPC, ``http://`` and
                ``https://`` for JSON-RPC, XML-RPC and the page. Port 0 picks a free one.
            tls: the certificate for ``tls://`` and ``https://`` addresses.
            insecure: let other machines come without TLS and a token or client certificate.
            workers: processes that serve; 1 means this very one. With more, this process accepts connections and hands
                each to the worker that has the fewest; one that dies is replaced. The service is sent to them as it
                is now, so its methods and their objects are pickled, and each worker has its own.

        Returns:
            the running server: a context manager with `addresses` and `close`.

        Raises:
            ValueError: an address is none, or is not safe.
            OSError: one cannot be listened at.
            ModuleNotFoundError: HTTP needs ``elsewhere[http]``; says how to install it.
        """
        from elsewhere.rpc.serving.arrivals import Arrivals

        if any(str(address).lower().startswith("http") for address in addresses):
            from elsewhere.rpc.web import require_http

            require_http()
        count = _count("workers", workers)
        if count > 1:
            self._check_workers(tls)
        arrivals = Arrivals(addresses, tls, self._token is not None, insecure)
        if count == 1:
            return Server(self, arrivals)
        from elsewhere.rpc.serving.workers.parent import Workers

        return Workers(self, arrivals, count, tls)

    def _check_workers(self, tls: TLS | None) -> None:
        """Raise if something cannot go to other processes."""
        if sys.platform != "linux":
            raise ValueError("workers= needs Linux")
        if self._pool is not None or any(method.pool is not None for method in self._registry.methods.values()):
            raise ValueError("a Pool cannot go to the workers: leave it out, and each makes its own")
        if tls is not None and tls.context is not None:
            raise ValueError("TLS(context=...) cannot go to the workers: give TLS(cert=..., key=...) instead")

    def serve(
        self,
        *addresses: str | Address,
        tls: TLS | None = None,
        insecure: bool = False,
        workers: int = 1,
        drain: float = DRAIN,
    ) -> int:
        """Serve until SIGINT or SIGTERM comes; then accept nothing more, and let calls that run end.

        The addresses are written to stderr. A second signal ends the patience. In a thread that is not the main one,
        where no signals arrive, it serves until `close` is called.

        Args:
            addresses: as in `start`; so are `tls`, `insecure` and `workers`, and what is raised.
            drain: seconds for the calls that run.

        Returns:
            the number of the signal that has ended it; 0 for `close`.
        """
        from elsewhere.rpc.serving.signals import serve_until_signal

        check_drain(drain)
        return serve_until_signal(self.start(*addresses, tls=tls, insecure=insecure, workers=workers), drain)

    def asgi(self) -> Mounted:
        """The service as an ASGI application, to mount in Starlette, FastAPI or Django, or to run in uvicorn.

        It answers JSON-RPC at ``/jsonrpc``, XML-RPC at ``/RPC2`` and ``/``, and shows the page at ``/`` if
        ``Service(page=True)`` says so, or if there is a token. It has threads and a pool of its own, which its `close`
        ends, or that of the service.

        Example::

            app = Starlette(routes=[Mount("/rpc", service.asgi())])

        Raises:
            ModuleNotFoundError: it needs ``elsewhere[http]``; says how to install it.
        """
        from elsewhere.rpc.web import require_http

        require_http()
        from elsewhere.rpc.serving.engine import Engine
        from elsewhere.rpc.web.app import Mounted

        page = self._token is not None if self._page is None else self._page
        return Mounted(Engine(self), page=page)

    def close(self, drain: float = DRAIN) -> None:
        """Close every running server of this service, as its own ``close(drain)`` does."""
        for server in list(self._servers):
            server.close(drain)

    # ---- on its way to a worker process ------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = {key: value for key, value in self.__dict__.items() if key not in {"_registry", "_servers", "_pool"}}
        return {**state, "_methods": [method.registration for method in self._registry.methods.values()]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _servers=[], _pool=None)

    def __getattr__(self, name: str) -> Any:
        # Only now are the methods certainly whole: one of them may have this very service among its globals.
        if name == "_registry" and "_methods" in self.__dict__:
            registry = Registry()
            for each in self.__dict__["_methods"]:
                registry.add(**each)
            return self.__dict__.setdefault("_registry", registry)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        names = list(self._registry.methods)
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        return f"<Service {self.name!r}: {shown or 'no methods'}>"


def _hosts(names: Any) -> tuple[str, ...]:
    if isinstance(names, str):
        raise TypeError(f"allowed_hosts is a list of names: [{names!r}]")
    found = tuple(names)
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"allowed_hosts are str, not {name!r}")
        if not name or "/" in name or "*" in name.removeprefix("*.").removesuffix("*" if name == "*" else ""):
            raise ValueError(f'{name!r} is no name of a host: "rpc.example.com", "*.example.com" and "*" are')
    return found


def _name_of(obj: Any) -> str:
    if obj is None:
        return ""
    if isinstance(obj, types.ModuleType | types.FunctionType):
        return obj.__name__
    return type(obj).__name__


def _token(token: Any) -> bytes | None:
    if token is None:
        return None
    if not isinstance(token, str | bytes):
        raise TypeError(f"token is a str or bytes, not {type(token).__name__}")
    if not token:
        raise ValueError("token is empty: None is for a service that asks for none")
    return token.encode() if isinstance(token, str) else token


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is a whole number, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} is 1 or more, not {value}")
    return value


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number of seconds, not {value!r}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is more than 0 seconds, not {value!r}")
    return float(value)
